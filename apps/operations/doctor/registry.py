"""Compares the registry with the schemas: half-made tenants, and schemas that belong to nobody."""

import shlex
from collections.abc import Iterator

from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from psycopg import sql

from apps.operations.doctor.finding import PATIENCE, Finding, Level, Scope, write_sql
from tenants.context import connection
from tenants.locks import Lock, find_held
from tenants.models import Domain, Tenant
from tenants.provisioning.schemas import list_schemas
from tenants.validators import RESERVED_SCHEMAS

RETRY = 'Operators\' admin: Tenants, action "Provision again (after a failure)".'
ADD_DOMAIN = (
    "INSERT INTO public.{table} AS d (domain, is_primary, tenant_id) VALUES ({domain}, true, {tenant}) "
    "ON CONFLICT (domain) DO UPDATE SET is_primary = true, redirects = false "
    "WHERE d.tenant_id = excluded.tenant_id;"
)


def check(scope: Scope) -> Iterator[Finding]:
    """Yield tenants that are half made or lack a schema or a domain, and schemas without a tenant."""
    # Read before the registry, whose row is there before its schema.
    schemas = list_schemas()
    if scope.is_whole:
        yield from _check_public()
        yield from _check_orphans(schemas)
    for tenant in scope.misnamed:
        message = "The registry's row is broken: no tenant's schema can have this name."
        fix = f"manage.py delete_tenant {shlex.quote(tenant.schema_name)} --now"
        yield Finding(Level.ERROR, repr(tenant.schema_name), message, fix)
    yield from _check_unprovisioned(scope)
    yield from _check_missing(scope, schemas)
    yield from _check_domains(scope)


def _check_public() -> Iterator[Finding]:
    executor = MigrationExecutor(connection)
    if lacking := executor.migration_plan(executor.loader.graph.leaf_nodes()):
        message = f"public lacks {len(lacking)} migrations."
        yield Finding(Level.ERROR, "migrations", message, "manage.py migrate_schemas --shared")


def _check_orphans(schemas: dict[str, bool]) -> Iterator[Finding]:
    known = RESERVED_SCHEMAS.union(Tenant.objects.values_list("schema_name", flat=True))
    for schema in sorted(name for name, has_records in schemas.items() if has_records and name not in known):
        message = "A schema like a tenant's that no tenant has. Look at it and back it up before you drop it."
        fix = write_sql("DROP SCHEMA {schema} CASCADE;", schema=schema)
        yield Finding(Level.WARNING, schema, message, fix)


def _check_unprovisioned(scope: Scope) -> Iterator[Finding]:
    at_work = find_held(Lock.LIFE_CYCLE, scope.schemas)
    for tenant in scope.tenants:
        if tenant.schema_name in at_work:
            continue
        if tenant.state == Tenant.State.FAILED:
            message = "Its provisioning failed; the operators' admin shows the reason."
            yield Finding(Level.ERROR, tenant.schema_name, message, RETRY)
        # Whatever else makes tenants says so in the reason, and has checks of its own.
        is_waiting = tenant.state == Tenant.State.PROVISIONING and not tenant.state_reason
        if is_waiting and tenant.created_at < timezone.now() - PATIENCE:
            message = f"It waits for its provisioning since {tenant.created_at:%Y-%m-%d %H:%M} UTC."
            yield Finding(Level.ERROR, tenant.schema_name, message, f"manage.py db_worker; or: {RETRY}")


def _check_missing(scope: Scope, schemas: dict[str, bool]) -> Iterator[Finding]:
    for tenant in scope.provisioned:
        if tenant.schema_name not in schemas:
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
