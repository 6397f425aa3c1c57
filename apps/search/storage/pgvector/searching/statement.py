"""The statement of a search to which only filters were added, without Django's compiler, which is slow."""

from functools import lru_cache
from typing import Any

from psycopg import Cursor
from psycopg.sql import quote

from apps.search.storage.pgvector.searching.matching import Matching
from apps.search.storage.pgvector.searching.rows import get_columns, make_objects
from apps.search.storage.pgvector.searching.spec import SearchSpec
from apps.search.storage.pgvector.searching.tuning import tuned
from apps.search.storage.pgvector.tables.distance import get_metric, get_vector_type
from apps.search.storage.pgvector.tables.plan import Plan
from apps.search.storage.pgvector.tables.vectors import VectorParameter
from tenants.context import connection

# A binary ANN index knows only the signs of the numbers: the vectors rank so many candidates again.
RERANKED = 400
RERANKED_PER_ROW = 20


def read_nearest(
    spec: SearchSpec,
    plan: Plan,
    low: int,
    high: int | None,
    tenant: Any = None,
    matching: Matching | None = None,
) -> list[Any]:
    """Return the rows from `low` to `high` of a search in the bound tenant, with `distance` and `score`.

    They are chosen from the `matching` rows, if given, otherwise from all rows of the index.
    """
    if matching is None:
        matching = _index_rows(connection.schema_name, spec.model, spec.space, spec.index_name)
    sql = _search_sql(spec.model, matching, plan.mode, plan.cast, low, high)
    with tuned(plan.tuning), connection.cursor() as cursor:
        if not plan.tuning:
            # Binds on the server, so that psycopg prepares a statement that comes again and again. A tuned
            # search is several statements, which take no parameters.
            cursor.cursor = Cursor(cursor.connection)
        cursor.execute(sql, {"vector": VectorParameter(spec.vector, get_vector_type(spec.model))})
        rows = cursor.fetchall()
    found = make_objects(spec.model, rows, tenant)
    for document, (*_, distance) in zip(found, rows, strict=True):
        document.distance, document.score = distance, spec.metric.to_score(distance)
    return found


@lru_cache(maxsize=1024)
def _index_rows(schema: str, model: Any, space: str, index_name: str) -> Matching:
    """All rows of an index. Space and index are literals, or else no plan could use its ANN index."""
    name = connection.ops.quote_name
    where = f"space = {quote(space)} AND index_name = {quote(index_name)}"
    return Matching(f"{name(schema)}.{name(model._meta.db_table)}", where)


@lru_cache(maxsize=1024)
def _search_sql(model: Any, matching: Matching, mode: str, cast: str, low: int, high: int | None) -> str:
    """The search as SQL with the parameter `vector`; all else is ours or quoted.

    It names the schema. PostgreSQL would plan a prepared statement that two tenants share anew at every
    change between them, and refuse it where their columns differ during a migration.
    """
    plan, parameter = Plan(mode, cast), f"%(vector)s::{get_vector_type(model)}"
    name, table, where = connection.ops.quote_name, matching.table, matching.where.replace("%", "%%")
    vector, pk = (name(model._meta.get_field(field).column) for field in ("vector", model._meta.pk.name))
    if mode == "binary":
        where = (
            f"{pk} IN (SELECT {pk} FROM {table} WHERE {where} "
            f"ORDER BY {plan.candidates_sql(vector, parameter)} "
            f"LIMIT {max(RERANKED, RERANKED_PER_ROW * (high or 0))})"
        )
    distance = plan.distance_sql(vector, get_metric(model).operator, parameter)
    limits = "" if high is None else f" LIMIT {high - low}"
    return (
        f"SELECT {get_columns(model).sql}, {distance} AS distance FROM {table} WHERE {where} "
        f"ORDER BY distance{limits} OFFSET {low}"
    )
