"""Finds the vectors that so many rows share that an ANN index should leave them out."""

from typing import Any

from psycopg import sql

from apps.search.storage.pgvector.tables.ann_index import get_cast
from apps.search.storage.pgvector.tables.left_out import MOST_COPIES, MOST_LEFT_OUT, digest_sql
from tenants.context import connection, get_current_schema

SAMPLED = 20_000  # rows of a table; more are read only where a sample of so many shows copies
COPIED = """
    SELECT digest, min(pk::text) FROM (SELECT {digest} AS digest, {pk} AS pk FROM {table} {sample}
        WHERE space = {space} AND index_name = {index_name} AND vector_dims({vector}) = {dimensions}
    ) AS digests GROUP BY digest HAVING count(*) > {most} ORDER BY count(*) DESC, digest LIMIT {limit}
"""


def find_copied(
    model: Any, space: str, index_name: str, dimensions: int, *, most: int = MOST_COPIES
) -> dict[str, str]:
    """Return the digests of vectors that more than `most` rows of (space, index_name) share, each with a row.

    The row is a primary key as text. The commonest come first, at most MOST_LEFT_OUT.
    """
    return _read(model, space, index_name, dimensions, most, 100)


def has_new_copies(status: Any, left_out: list[str]) -> bool:
    """Return whether an ANN index should be built anew because of vectors that it does not leave out yet.

    Only where they are twice as many as at a build, lest it come again and again.
    """
    if len(left_out) >= MOST_LEFT_OUT:
        return False
    key = (status.model, status.space, status.index_name, status.dimensions)
    share = min(1.0, SAMPLED / max(status.table_rows, 1))
    if share < 1 and not set(_read(*key, int(MOST_COPIES * share), 100 * share)) - set(left_out):
        return False
    return bool(set(find_copied(*key, most=2 * MOST_COPIES)) - set(left_out))


def _read(
    model: Any, space: str, index_name: str, dimensions: int, most: int, percent: float
) -> dict[str, str]:
    meta = model._meta
    vector = connection.ops.quote_name(meta.get_field("vector").column)
    statement = sql.SQL(COPIED).format(
        digest=sql.SQL(digest_sql(vector, get_cast(dimensions))),
        vector=sql.SQL(vector),
        pk=sql.Identifier(meta.pk.column),
        table=sql.Identifier(get_current_schema(), meta.db_table),
        sample=sql.SQL(f"TABLESAMPLE SYSTEM ({percent:.6f})" if percent < 100 else ""),
        space=sql.Literal(space),
        index_name=sql.Literal(index_name),
        dimensions=sql.Literal(dimensions),
        most=sql.Literal(most),
        limit=sql.Literal(MOST_LEFT_OUT),
    )
    with connection.cursor() as cursor:
        cursor.execute(statement.as_string(cursor.connection))
        return dict(cursor.fetchall())
