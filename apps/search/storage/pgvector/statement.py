"""The statement of a search to which nothing was added: Django's compiler takes as long as the search."""

from functools import lru_cache
from typing import Any

from psycopg import Cursor
from psycopg.sql import quote

from apps.search.storage.pgvector.distance import get_metric, get_vector_type
from apps.search.storage.pgvector.parameter import VectorParameter
from apps.search.storage.pgvector.plan import Plan
from apps.search.storage.pgvector.rows import get_columns, make_objects
from apps.search.storage.pgvector.spec import SearchSpec
from apps.search.storage.pgvector.tuning import get_ef_search, tuned
from tenants.context import connection

# A binary index knows the signs of the numbers only: so many candidates are ranked again by the vectors.
RERANKED = 400
RERANKED_PER_ROW = 20
# True, and evaluated before the scan begins: until the transaction ends, a scan of the graph is over after
# ef_search candidates. To be ready to go on, as an iterative scan is, takes a quarter of a search's time.
SINGLE_SCAN = "(SELECT set_config('hnsw.iterative_scan', 'off', true)) = 'off'"


def read_nearest(spec: SearchSpec, plan: Plan, low: int, high: int | None, tenant: Any) -> list[Any]:
    """Return the rows from `low` to `high` of a search in the bound tenant, with `distance` and `score`.

    Where a single scan of the graph should find them, it comes first; deleted rows may leave it short.
    """
    if high is not None and _may_suffice(plan, high):
        found = _read(spec, plan, low, high, tenant, condition=SINGLE_SCAN)
        if len(found) == high - low:
            return found
    return _read(spec, plan, low, high, tenant)


def _may_suffice(plan: Plan, high: int) -> bool:
    """Whether a single scan may find so many rows, and what it sets ends with the statement."""
    is_plain = plan.mode == "hnsw" and plan.matches is None and "iterative_scan" not in plan.tuning
    ef_search = int(plan.tuning.get("ef_search", get_ef_search()))
    return is_plain and high <= ef_search and connection.get_autocommit()


def _read(
    spec: SearchSpec, plan: Plan, low: int, high: int | None, tenant: Any, condition: str = ""
) -> list[Any]:
    index = (connection.schema_name, spec.model, spec.space, spec.index_name)
    sql = _search_sql(*index, plan.mode, plan.cast, low, high, condition)
    with tuned(plan.tuning), connection.cursor() as cursor:
        if not plan.tuning:
            # Binds on the server, so psycopg has the statement prepared when it comes again and again. What
            # is tuned is several statements, which take no parameters.
            cursor.cursor = Cursor(cursor.connection)
        cursor.execute(sql, {"vector": VectorParameter(spec.vector, get_vector_type(spec.model))})
        rows = cursor.fetchall()
    found = make_objects(spec.model, rows, tenant)
    for document, (*_, distance) in zip(found, rows, strict=True):
        document.distance, document.score = distance, spec.metric.to_score(distance)
    return found


@lru_cache(maxsize=1024)
def _search_sql(
    schema: str,
    model: Any,
    space: str,
    index_name: str,
    mode: str,
    cast: str,
    low: int,
    high: int | None,
    condition: str,
) -> str:
    """The search as SQL, for the parameter `vector`; all else is ours or quoted.

    It names the schema: a prepared statement that two tenants share would be planned anew at every change
    between them, and refused where their columns differ for the time of a migration. Space and index are
    no parameters, since a plan for any of them could not use the index of one.
    """
    name = connection.ops.quote_name
    plan, parameter = Plan(mode, cast), f"%(vector)s::{get_vector_type(model)}"
    table = f"{name(schema)}.{name(model._meta.db_table)}"
    vector, pk = (name(model._meta.get_field(field).column) for field in ("vector", model._meta.pk.name))
    where = f"space = {quote(space)} AND index_name = {quote(index_name)}".replace("%", "%%")
    if mode == "binary":
        where = (
            f"{pk} IN (SELECT {pk} FROM {table} WHERE {where} "
            f"ORDER BY {plan.candidates_sql(vector, parameter)} "
            f"LIMIT {max(RERANKED, RERANKED_PER_ROW * (high or 0))})"
        )
    elif condition:
        where = f"{condition} AND {where}"
    distance = plan.distance_sql(vector, get_metric(model).operator, parameter)
    limits = "" if high is None else f" LIMIT {high - low}"
    return (
        f"SELECT {get_columns(model).sql}, {distance} AS distance FROM {table} WHERE {where} "
        f"ORDER BY distance{limits} OFFSET {low}"
    )
