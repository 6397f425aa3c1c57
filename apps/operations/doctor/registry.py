"""The registry against the schemas: who is half made, who lags, and whose schema is nobody's."""

from collections.abc import Iterable, Iterator
from datetime import timedelta

from django.db.migrations.executor import MigrationExecutor
from django.db.models import Q
from django.utils import timezone
from psycopg import sql

from apps.operations.bundles.registration import IMPORTING
from apps.operations.doctor.finding import Finding, Level, Scope, name_some, write_sql
from apps.operations.fleet.files import MigrationFiles, Planner
from apps.operations.fleet.survey import SCHEMAS, UNPROVISIONED, survey_fleet
from tenants.context import connection
from tenants.locks import LIFE_CYCLE, find_held
from tenants.models import DeletionReport, Domain, Tenant
from tenants.validators import RESERVED_SCHEMAS

PATIENCE = timedelta(minutes=15)  # for a tenant to be provisioned
RETRY = 'Operators\' admin: Tenants, action "Provision again (after a failure)".'
ADD_DOMAIN = (
    "INSERT INTO public.{table} AS d (domain, is_primary, tenant_id) VALUES ({domain}, true, {tenant}) "
    "ON CONFLICT (domain) DO UPDATE SET is_primary = true, redirects = false "
    "WHERE d.tenant_id = excluded.tenant_id;"
)


def check(scope: Scope) -> Iterable[Finding]:
    """Yield tenants that lag, are half made, or lack a schema or a domain, and schemas without a tenant."""
    schemas = _list_schemas()
    if scope.is_whole:
        yield from _check_public()
        yield from _check_orphans(schemas)
        yield from _check_deletions()
    yield from _check_lag(scope)
    yield from _check_unprovisioned(scope)
    yield from _check_missing(scope, schemas)
    yield from _check_domains(scope)
    yield from _check_leaving(scope)


def _list_schemas() -> dict[str, bool]:
    """Return all schemas, each with whether it records migrations."""
    with connection.cursor() as cursor:
        cursor.execute(SCHEMAS)
        return dict(cursor.fetchall())


def _check_public() -> Iterator[Finding]:
    executor = MigrationExecutor(connection)
    lacking = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if lacking:
        message = f"public lacks {len(lacking)} migrations."
        yield Finding(Level.ERROR, "migrations", message, "manage.py migrate_schemas --shared")


def _check_orphans(schemas: dict[str, bool]) -> Iterator[Finding]:
    # The schemas were read before the registry, whose row is there before its schema.
    known = RESERVED_SCHEMAS.union(Tenant.objects.values_list("schema_name", flat=True))
    for schema in sorted(name for name, has_records in schemas.items() if has_records and name not in known):
        message = "A schema like a tenant's that no tenant has. Look at it and back it up before you drop it."
        yield Finding(
            Level.WARNING, schema, message, write_sql("DROP SCHEMA {schema} CASCADE;", schema=schema)
        )


def _check_lag(scope: Scope) -> Iterator[Finding]:
    survey = survey_fleet(connection, Planner(MigrationFiles()))
    lagging = sorted(survey.lagging.keys() & scope.schemas)
    if lagging:
        message = f"{len(lagging)} of {len(scope.tenants)} tenants lag: {name_some(lagging)}"
        option = f" --schema={lagging[0]}" if len(lagging) == 1 else ""
        yield Finding(Level.ERROR, "migrations", message, f"manage.py migrate_schemas{option}")


def _check_unprovisioned(scope: Scope) -> Iterator[Finding]:
    at_work = find_held(LIFE_CYCLE, scope.schemas)
    for tenant in scope.tenants:
        if tenant.schema_name in at_work:
            continue
        if tenant.state == Tenant.State.FAILED:
            message = "Its provisioning failed; the reason stands in the operators' admin."
            yield Finding(Level.ERROR, tenant.schema_name, message, RETRY)
        elif tenant.state == Tenant.State.PROVISIONING and tenant.created_at < timezone.now() - PATIENCE:
            message = f"It waits for its provisioning since {tenant.created_at:%Y-%m-%d %H:%M} UTC."
            fix = f"manage.py db_worker; or: {RETRY}"
            if tenant.state_reason == IMPORTING:
                message = f"Its import, of {tenant.created_at:%Y-%m-%d %H:%M} UTC, was cut short."
                fix = "manage.py import_tenant, once more"
            yield Finding(Level.ERROR, tenant.schema_name, message, fix)


def _check_missing(scope: Scope, schemas: dict[str, bool]) -> Iterator[Finding]:
    for tenant in scope.tenants:
        if tenant.state not in UNPROVISIONED and tenant.schema_name not in schemas:
            fix = (
                f"infra/restore.sh /backups/TIME/{tenant.schema_name}.dump; "
                f"or: manage.py delete_tenant {tenant.schema_name} --now"
            )
            yield Finding(Level.ERROR, tenant.schema_name, f"It is {tenant.state}, but has no schema.", fix)


def _check_domains(scope: Scope) -> Iterator[Finding]:
    served = set(Domain.objects.filter(redirects=False).values_list("tenant_id", flat=True))
    for tenant in scope.tenants:
        if tenant.state == Tenant.State.ACTIVE and tenant.pk not in served:
            fix = write_sql(
                ADD_DOMAIN,
                table=Domain._meta.db_table,
                domain=sql.Literal(tenant.hostname),
                tenant=sql.Literal(tenant.pk),
            )
            message = "It is active, but no domain leads to it."
            yield Finding(Level.ERROR, tenant.schema_name, message, fix)


def _check_leaving(scope: Scope) -> Iterator[Finding]:
    for tenant in scope.tenants:
        if tenant.delete_after is not None and tenant.delete_after < timezone.now() - PATIENCE:
            message = f"It should have been deleted after {tenant.delete_after:%Y-%m-%d %H:%M} UTC."
            fix = f"manage.py db_worker; or: manage.py delete_tenant {tenant.schema_name} --now"
            yield Finding(Level.ERROR, tenant.schema_name, message, fix)


def _check_deletions() -> Iterator[Finding]:
    cut_short = Q(proved_at=None, deleted_at__lt=timezone.now() - PATIENCE)
    for report in DeletionReport.objects.filter(cut_short | Q(remainders__gt=0)).order_by("pk"):
        message = "Its deletion was cut short." if report.proved_at is None else "Something of it is left."
        fix = f"manage.py delete_tenant {report.schema_name} --now"
        yield Finding(Level.ERROR, report.schema_name, message, fix)
