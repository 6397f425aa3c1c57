"""A database role for each tenant: it owns nothing and may use only the tenant's schema.

A request or a task of a tenant runs as its role. PostgreSQL then refuses other tenants' schemas, the registry
and every change of a table, whatever the SQL says. SQL that takes the role off again (`RESET ROLE`) remains:
docs/decisions/0013-a-role-for-each-tenant.md says where that is possible.
"""

from collections.abc import Iterable

from django.apps import apps
from django.db import transaction
from django.db.backends.utils import CursorWrapper
from django_tasks_db.models import DBTaskResult
from psycopg import sql

from tenants.context import connection, owner_rights
from tenants.locks import Lock, take
from tenants.models import Tenant
from tenants.postgresql.role_names import are_roles_used, get_group_name, get_role_name
from tenants.provisioning.reserving import is_reserved, write_reserve
from tenants.queue.guarding import guard_queue, is_queue_guarded

TABLE_RIGHTS = "SELECT, INSERT, UPDATE, DELETE"
SEQUENCE_RIGHTS = "USAGE, SELECT, UPDATE"
GROUP_GRANTS = (
    "GRANT TEMPORARY ON DATABASE {database} TO {group}",
    "GRANT INSERT ON public.{table} TO {group}",
)
ROLE_GRANTS = (
    "GRANT USAGE ON SCHEMA {schema} TO {role}",
    f"GRANT {TABLE_RIGHTS} ON ALL TABLES IN SCHEMA {{schema}} TO {{role}}",
    f"GRANT {SEQUENCE_RIGHTS} ON ALL SEQUENCES IN SCHEMA {{schema}} TO {{role}}",
    # For the tables of later migrations, which the same user makes.
    f"ALTER DEFAULT PRIVILEGES IN SCHEMA {{schema}} GRANT {TABLE_RIGHTS} ON TABLES TO {{role}}",
    f"ALTER DEFAULT PRIVILEGES IN SCHEMA {{schema}} GRANT {SEQUENCE_RIGHTS} ON SEQUENCES TO {{role}}",
)
APPEND_ONLY = "REVOKE UPDATE, DELETE ON {schema}.{table} FROM {role}"


def create_role(tenant: Tenant) -> None:
    """Create the tenant's role and its rights, as far as they are missing; the schema must exist.

    Does nothing when TENANT_ROLES is off. The connection's user needs CREATEROLE. If it is a
    superuser, what `reserving` names is its own from then on.
    """
    if not are_roles_used():
        return
    database = connection.settings_dict["NAME"]
    role, group = get_role_name(database, tenant.schema_name), get_group_name(database)
    with owner_rights(), transaction.atomic(), connection.cursor() as cursor:
        # Concurrent changes of the same rights fail, and the first tenants would all make the group.
        take(Lock.ROLES, until_commit=True)
        # Only a superuser can. Elsewhere infra/postgres has done it, or the doctor asks for it.
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        if cursor.fetchone()[0] and not is_reserved():
            cursor.execute(write_reserve())
        if not is_queue_guarded():
            guard_queue()
        # The group has what every tenant needs beyond its schema: to write its tasks, and to stage documents.
        _create(cursor, group)
        for grant in GROUP_GRANTS:
            _execute(cursor, grant, database=database, table=DBTaskResult._meta.db_table, group=group)
        _create(cursor, role)
        _execute(cursor, "GRANT {group} TO {role}", group=group, role=role)
        for grant in ROLE_GRANTS:
            _execute(cursor, grant, schema=tenant.schema_name, role=role)
        close_append_only(tenant.schema_name)


def close_append_only(schema: str) -> None:
    """Let a tenant's role only add to the tables of models with `is_append_only = True`, and read them.

    tenants.operations has this for migrations. Does nothing without a role.
    """
    role = get_role_name(connection.settings_dict["NAME"], schema)
    with connection.cursor() as cursor:
        if not are_roles_used() or not _exists(cursor, role):
            return
        for table in list_append_only():
            cursor.execute("SELECT to_regclass(format('%%I.%%I', %s::text, %s::text))", [schema, table])
            if cursor.fetchone() != (None,):
                _execute(cursor, APPEND_ONLY, schema=schema, table=table, role=role)


def list_append_only() -> list[str]:
    """Return the names of the tables to which a tenant's role may only add."""
    return [model._meta.db_table for model in apps.get_models() if getattr(model, "is_append_only", False)]


def drop_roles(schemas: Iterable[str]) -> None:
    """Drop the roles of these schemas, with their rights, as far as they exist."""
    if not are_roles_used():
        return
    with owner_rights(), connection.cursor() as cursor:
        for schema in schemas:
            role = get_role_name(connection.settings_dict["NAME"], schema)
            if _exists(cursor, role):
                _join(cursor, role, inherit=True)  # only who has its rights may take them away
                _execute(cursor, "DROP OWNED BY {role}", role=role)
                _execute(cursor, "DROP ROLE {role}", role=role)


def list_roles() -> set[str]:
    """Return the schemas whose roles exist in this database's name space."""
    prefix = get_group_name(connection.settings_dict["NAME"]) + "_"
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolname FROM pg_roles WHERE starts_with(rolname, %s)", [prefix])
        return {name.removeprefix(prefix) for (name,) in cursor.fetchall()}


def _create(cursor: CursorWrapper, role: str) -> None:
    if _exists(cursor, role):
        return
    _execute(cursor, "CREATE ROLE {role} NOLOGIN", role=role)
    _join(cursor, role, inherit=False)


def _join(cursor: CursorWrapper, role: str, *, inherit: bool) -> None:
    """Let the connection's user take on the role, and have its rights at all times if `inherit`."""
    # Before PostgreSQL 16 every membership inherits, which is harmless to the owner of it all.
    option = f" WITH INHERIT {inherit}, SET TRUE" if connection.pg_version >= 160_000 else ""
    _execute(cursor, f"GRANT {{role}} TO CURRENT_USER{option}", role=role)


def _exists(cursor: CursorWrapper, role: str) -> bool:
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
    return cursor.fetchone() is not None


def _execute(cursor: CursorWrapper, statement: str, **names: str) -> None:
    identifiers = {name: sql.Identifier(value) for name, value in names.items()}
    composed = sql.SQL(statement).format(**identifiers)
    cursor.execute(composed)
