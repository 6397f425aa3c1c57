"""The schemas that exist, no matter whose they are."""

from typing import Any

from tenants.context import connection as default_connection

SCHEMAS = """
    SELECT nspname, EXISTS (
        SELECT FROM pg_class WHERE relname = 'django_migrations' AND relnamespace = n.oid AND relkind = 'r'
    ) FROM pg_namespace n
"""


def list_schemas(connection: Any = default_connection) -> dict[str, bool]:
    """Return the names of all schemas, each with whether it records migrations, as tenants' schemas do."""
    with connection.cursor() as cursor:
        cursor.execute(SCHEMAS)
        return dict(cursor.fetchall())
