"""Looks for remains of a tenant in the database, whatever the deletion says that it erased."""

from collections.abc import Iterable
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django_tasks_db.models import DBTaskResult
from psycopg import sql

from apps.operations.deletion.remains import Gone, Look, Verdict, judge
from tenants.context import connection
from tenants.locks import Lock, find_held
from tenants.models import Tenant
from tenants.postgresql.role_names import get_group_name
from tenants.provisioning.sessions import find_sessions
from tenants.queue.rows import count_traces

AGAIN = "manage.py delete_tenant {schema} --now"
SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname = %s OR starts_with(nspname, %s)"
ROLE = """
    SELECT (SELECT count(*) FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass AND refobjid = r.oid)
        + (SELECT count(*) FROM pg_auth_members WHERE r.oid IN (roleid, member))
    FROM pg_roles r WHERE rolname = %s
"""


def look_for_schema(gone: Gone) -> Iterable[Look]:
    """Look in pg_namespace, also for schemas that the restoring of a backup set aside."""
    found = set(_query(SCHEMAS, gone.schema, f"{gone.schema[:38]}_replaced_"))
    others = Tenant.objects.exclude(pk=gone.pk).values_list("schema_name", flat=True)
    left = sorted(found.difference(others))
    fix = " ".join(_quote("DROP SCHEMA {} CASCADE;", name) for name in left)
    yield judge("schema", "pg_namespace", len(left), fix, ", ".join(left))


def look_for_rows(gone: Gone) -> Iterable[Look]:
    """Look in the registry and in every table of `public` that has a foreign key to it."""
    fix = AGAIN.format(schema=gone.schema)
    found = Tenant.objects.filter(pk=gone.pk) | Tenant.objects.filter(schema_name=gone.schema)
    yield judge("registry", Tenant._meta.db_table, found.count(), fix)
    for relation in Tenant._meta.related_objects:
        model: Any = relation.related_model
        rows = model._base_manager.filter(**{relation.field.name: gone.pk})
        yield judge("registry", model._meta.db_table, rows.count(), fix)


def look_for_role(gone: Gone) -> Iterable[Look]:
    """Look in pg_roles and, for a role that is left, in pg_shdepend and pg_auth_members."""
    role = f"{get_group_name(connection.settings_dict['NAME'])}_{gone.schema}"
    grants = _query(ROLE, role)
    remark = f"{role}, with {sum(grants)} rights and memberships" if grants else ""
    fix = _quote("DROP OWNED BY {0}; DROP ROLE {0};", role)
    yield judge("role", "pg_roles, pg_shdepend, pg_auth_members", len(grants), fix, remark)


def look_for_tasks(gone: Gone) -> Iterable[Look]:
    """Look for tasks in every state, results included, except for the deletion that is running."""
    found = count_traces(gone.schema, gone.pk)
    yield judge("tasks", DBTaskResult._meta.db_table, found, AGAIN.format(schema=gone.schema))


def look_for_locks(gone: Gone) -> Iterable[Look]:
    """Look in pg_locks: a process that holds one is at work on the tenant."""
    found = sum(len(find_held(lock, [gone.schema])) for lock in (Lock.LIFE_CYCLE, Lock.MIGRATION))
    fix = f"Let that process end; then: {AGAIN.format(schema=gone.schema)}"
    yield judge("locks", "pg_locks, of its life cycle and its migration", found, fix)


def look_for_sessions(gone: Gone) -> Iterable[Look]:
    """Look at the operators' sessions: one that was written within the tenant bears its signature."""
    table = Session._meta.db_table
    looked_at = f"public.{table}, by the signatures"
    found = len(find_sessions(gone.schema))
    yield judge("sessions", looked_at, found, AGAIN.format(schema=gone.schema))


def look_at_log(gone: Gone) -> Iterable[Look]:
    """Count the operators' log entries, which stay: they name no more than this report does."""
    about = ContentType.objects.get_for_model(Tenant)
    found = LogEntry.objects.filter(content_type=about, object_id=str(gone.pk)).count()
    remark = "what operators did with it stays on record: its name and the fields that were changed"
    yield Look("operators' log", f"public.{LogEntry._meta.db_table}", Verdict.KEPT, found, remark)


def _quote(statement: str, name: str) -> str:
    return sql.SQL(statement).format(sql.Identifier(name)).as_string()


def _query(statement: str, *parameters: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return [value for (value,) in cursor.fetchall()]
