"""The indexes of a schema that is being filled: made once over all rows, not row by row.

A vector index takes some hundred rows a second one by one, and many times that at once.
"""

from typing import Any

from django.db import OperationalError, transaction
from psycopg import errors, sql

from tenants.context import connection

MANY = 1_000  # rows from which on it pays
MEMORY = 512  # megabytes to make an index with, unless the server gives more

# All but what says more than its statement does: that it is a constraint's, or has a comment.
INDEXES = """
    SELECT c.relname, pg_get_indexdef(indexrelid) FROM pg_index
    JOIN pg_class c ON c.oid = indexrelid JOIN pg_class t ON t.oid = indrelid
    WHERE t.relnamespace = %s::regnamespace AND t.relname = ANY(%s)
        AND NOT (indisclustered OR indisreplident) AND obj_description(indexrelid, 'pg_class') IS NULL
        AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
    ORDER BY c.relname
"""


def drop_indexes(schema: str, tables: list[str]) -> list[str]:
    """Drop the indexes of these tables; return the statements that make them again."""
    with connection.cursor() as cursor:
        cursor.execute(INDEXES, [schema, tables])
        found = cursor.fetchall()
        for name, _ in found:
            cursor.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(schema, name)))
    return [statement for _, statement in found]


def make_indexes(statements: list[str]) -> None:
    """Make indexes in the present transaction, with much memory."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT setting::bigint / 1024 FROM pg_settings WHERE name = 'maintenance_work_mem'")
        (memory,) = cursor.fetchone()
        cursor.execute(f"SET LOCAL maintenance_work_mem = '{max(memory, MEMORY)}MB'")
        for statement in statements:
            _make(cursor, statement)


def analyze(schema: str, tables: list[str]) -> None:
    """Let the planner know the new rows; it does not before autovacuum comes by."""
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(schema, table)))


def _make(cursor: Any, statement: str) -> None:
    """Once more without helpers where their shared memory does not suffice, as in many containers."""
    try:
        with transaction.atomic():
            cursor.execute(statement)
    except OperationalError as error:
        if not isinstance(error.__cause__, errors.DiskFull):
            raise
        cursor.execute("SET LOCAL max_parallel_maintenance_workers = 0")
        cursor.execute(statement)
