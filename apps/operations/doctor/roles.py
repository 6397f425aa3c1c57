"""Checks the tenants' database roles: missing, short of rights, or left over."""

from collections.abc import Iterator
from functools import partial

from apps.operations.doctor.finding import Finding, Level, Scope, write_sql
from tenants.context import connection
from tenants.models import Tenant
from tenants.postgresql.role_names import are_roles_used, get_group_name, get_role_name
from tenants.provisioning.reserving import is_reserved, write_reserve
from tenants.provisioning.roles import create_role, drop_roles, list_append_only, list_roles
from tenants.provisioning.schemas import list_schemas
from tenants.queue.guarding import guard_queue, is_queue_guarded

REPAIR = "manage.py tenant_roles --repair"
# has_table_privilege() with a list of rights asks for any of them, so each is asked for by itself.
SHORT_OF_RIGHTS = """
    SELECT n.nspname FROM pg_namespace n JOIN pg_roles r ON r.rolname = %(prefix)s || n.nspname
    WHERE n.nspname = ANY(%(schemas)s) AND NOT (
        has_schema_privilege(r.oid, n.oid, 'USAGE')
        AND pg_has_role(r.oid, %(group)s, 'MEMBER') AND pg_has_role(session_user, r.oid, 'MEMBER')
    )
    UNION
    SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_roles r ON r.rolname = %(prefix)s || n.nspname
    WHERE n.nspname = ANY(%(schemas)s) AND NOT CASE c.relkind
        WHEN 'S' THEN has_sequence_privilege(r.oid, c.oid, 'USAGE')
        WHEN 'r' THEN has_table_privilege(r.oid, c.oid, 'SELECT')
            AND has_table_privilege(r.oid, c.oid, 'INSERT')
            AND (c.relname = ANY(%(append_only)s) OR (
                has_table_privilege(r.oid, c.oid, 'UPDATE') AND has_table_privilege(r.oid, c.oid, 'DELETE')
            ))
        ELSE true END
"""
FREE_TO_CHANGE = """
    SELECT DISTINCT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_roles r ON r.rolname = %(prefix)s || n.nspname
    WHERE n.nspname = ANY(%(schemas)s) AND c.relkind = 'r' AND c.relname = ANY(%(append_only)s)
    AND has_table_privilege(r.oid, c.oid, 'UPDATE, DELETE, TRUNCATE')
"""
OWNS = """
    SELECT EXISTS (
        SELECT FROM pg_shdepend WHERE refobjid = %s::regrole AND refclassid = 'pg_authid'::regclass
        AND deptype = 'o'
    )
"""


def check(scope: Scope) -> Iterator[Finding]:
    """Yield tenants without a role or with too few rights, roles without a tenant, and a way out of them."""
    if not are_roles_used():
        return
    roles = list_roles()  # before the registry is read: a role comes after its row
    tenants = {tenant.schema_name: tenant for tenant in scope.provisioned}
    made = tenants.keys() & list_schemas().keys()
    for schema in sorted(made - roles):
        message = "Its database role is missing: every request fails."
        yield Finding(Level.ERROR, schema, message, REPAIR, partial(create_role, tenants[schema]))
    for schema in sorted(_find_schemas(SHORT_OF_RIGHTS, made & roles)):
        message = "Its database role lacks rights in its schema."
        yield Finding(Level.ERROR, schema, message, REPAIR, partial(create_role, tenants[schema]))
    for schema in sorted(_find_schemas(FREE_TO_CHANGE, made & roles)):
        message = "Its database role may change what is only to be added to, such as its audit log."
        yield Finding(Level.ERROR, schema, message, REPAIR, partial(create_role, tenants[schema]))
    if scope.is_whole:
        yield from _check_orphans(roles)
        if not is_reserved():
            message = "Any role may call set_config(), take advisory locks and read every table's statistics."
            yield Finding(Level.WARNING, "database", message, f"As a superuser: {write_reserve()};")
        if not is_queue_guarded():
            message = "A tenant's role may write tasks for other tenants."
            yield Finding(Level.ERROR, "database", message, REPAIR, guard_queue)


def _find_schemas(statement: str, schemas: set[str]) -> list[str]:
    if not schemas:
        return []
    group = get_group_name(connection.settings_dict["NAME"])
    values = {"prefix": f"{group}_", "group": group, "schemas": list(schemas)}
    values["append_only"] = list_append_only()
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return [schema for (schema,) in cursor.fetchall()]


def _check_orphans(roles: set[str]) -> Iterator[Finding]:
    known = set(Tenant.objects.values_list("schema_name", flat=True))
    for schema in sorted(roles - known):
        role = get_role_name(connection.settings_dict["NAME"], schema)
        with connection.cursor() as cursor:
            cursor.execute(OWNS, [write_sql("{role}", role=role)])
            (owns_something,) = cursor.fetchone()
        if owns_something:
            message = f"The role {role} has no tenant, but owns something, here or in another database."
            fix = write_sql("REASSIGN OWNED BY {role} TO CURRENT_USER;", role=role)
            yield Finding(Level.WARNING, schema, message, fix)
        else:
            message = f"The role {role} has no tenant."
            yield Finding(Level.WARNING, schema, message, REPAIR, partial(drop_roles, [schema]))
