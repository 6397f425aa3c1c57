"""Reports how much disk the tenants take."""

from collections.abc import Iterable

from django.template.defaultfilters import filesizeformat

from apps.operations.doctor.finding import Finding, Level, Scope
from tenants.context import connection

TOP = 10
SIZES = """
    SELECT n.nspname, sum(pg_total_relation_size(c.oid))::bigint AS size
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') AND n.nspname = ANY(%s)
    GROUP BY n.nspname ORDER BY size DESC, n.nspname LIMIT %s
"""


def check(scope: Scope) -> Iterable[Finding]:
    """Yield the size of the database and the largest tenants, indexes included."""
    with connection.cursor() as cursor:
        cursor.execute(SIZES, [list(scope.schemas), TOP])
        sizes = cursor.fetchall()
        cursor.execute("SELECT pg_database_size(current_database())")
        total = cursor.fetchone()[0]
    if scope.is_whole:
        yield Finding(Level.INFO, "disk", f"The database takes {_write(total)}.", "")
    if sizes:
        named = ", ".join(f"{schema} {_write(size)}" for schema, size in sizes)
        label = "The largest tenants: " if scope.is_whole else ""
        yield Finding(Level.INFO, "disk", f"{label}{named}", "")


def _write(size: int) -> str:
    return filesizeformat(size).replace("\xa0", " ")
