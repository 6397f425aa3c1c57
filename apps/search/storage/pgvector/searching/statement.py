"""The statement of a search to which only filters were added, without Django's compiler, which is slow."""

from collections.abc import Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from psycopg import Cursor
from psycopg.sql import quote

from apps.search.storage.pgvector.conf import conf
from apps.search.storage.pgvector.searching.matching import Matching
from apps.search.storage.pgvector.searching.rows import get_columns, make_objects
from apps.search.storage.pgvector.searching.spec import SearchSpec
from apps.search.storage.pgvector.searching.tuning import Tuning, tuned
from apps.search.storage.pgvector.tables.distance import get_metric, get_vector_type
from apps.search.storage.pgvector.tables.left_out import digest_sql, left_out_sql
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
    matching: Matching,
    tenant: Any = None,
) -> list[Any] | None:
    """Return the rows from `low` to `high` of a search in the bound tenant, with `distance` and `score`.

    They are chosen from the `matching` rows. None where the ANN index gave fewer rows than asked for, as it
    may where there are more.
    """
    first = 0 if plan.left_out else low  # others may come between
    # One plan serves all values that leave few rows, so that search is prepared for all of them.
    if (
        matching.shape
        and plan.mode == "exact"
        and plan.matches is not None
        and plan.matches <= conf.EXACT_ROWS
    ):
        where, values = matching.shape, matching.values
    else:
        where, values = matching.where.replace("%", "%%"), ()
    sql = _search_sql(spec.model, matching.table, where, plan, first, high)
    rows = _execute(spec, plan.tuning, sql, values)
    if plan.mode != "exact" and len(rows) < (high or 0) - first:
        return None
    if plan.left_out:
        rows += _execute(spec, {}, _left_out_sql(spec.model, matching, plan, high))
        rows = sorted(rows, key=itemgetter(-1))[low:high]
    found = make_objects(spec.model, rows, tenant)
    for document, (*_, distance) in zip(found, rows, strict=True):
        document.distance, document.score = distance, spec.metric.to_score(distance)
    return found


def _execute(spec: SearchSpec, tuning: Tuning, sql: str, values: Sequence[Any] = ()) -> list[Any]:
    vector = VectorParameter(spec.vector, get_vector_type(spec.model))
    named = {f"value{number}": value for number, value in enumerate(values)}
    with tuned(tuning), connection.cursor() as cursor:
        if not tuning:
            # Binds on the server, so that psycopg prepares a statement that comes again and again. A tuned
            # search is several statements, which take no parameters.
            cursor.cursor = Cursor(cursor.connection)
        cursor.execute(sql, {"vector": vector, **named})
        return cursor.fetchall()


def _search_sql(model: Any, table: str, where: str, plan: Plan, low: int, high: int | None) -> str:
    how = plan.mode, plan.cast, plan.left_out, plan.is_unit
    return _compose(
        model, table, where, *how, plan.tuning.get("iterative_scan") == "relaxed_order", low, high
    )


@lru_cache(maxsize=1024)
def _compose(
    model: Any,
    table: str,
    where: str,
    mode: str,
    cast: str,
    left_out: tuple[str, ...],
    is_unit: bool,
    is_relaxed: bool,
    low: int,
    high: int | None,
) -> str:
    """The search as SQL with the parameters `vector` and those in `where`; all else is ours or quoted.

    It names the schema. PostgreSQL would plan a prepared statement that two tenants share anew at every
    change between them, and refuse it where their columns differ during a migration.
    """
    plan, parameter = Plan(mode, cast, is_unit=is_unit), f"%(vector)s::{get_vector_type(model)}"
    vector, pk = _get_columns(model)
    if left_out:
        where = f"{where} AND NOT ({left_out_sql(vector, cast, left_out)})"
    if mode == "binary":
        where = (
            f"{pk} IN (SELECT {pk} FROM {table} WHERE {where} "
            f"ORDER BY {plan.candidates_sql(vector, parameter)} "
            f"LIMIT {max(RERANKED, RERANKED_PER_ROW * (high or 0))})"
        )
    distance = plan.distance_sql(vector, get_metric(model).operator, parameter)
    columns = f"{get_columns(model).sql}, {distance} AS distance"
    rows = f"SELECT {columns} FROM {table} WHERE {where} ORDER BY distance"
    if mode in ("exact", "binary"):  # what is equally near comes in one order, however many rows are read
        rows = f"{rows}, {pk}"
    limits = f"{'' if high is None else f' LIMIT {high - low}'} OFFSET {low}"
    if is_relaxed:
        # Each round of the scan is in order, but a later one may find nearer rows. PostgreSQL takes them all
        # for sorted, so without + 0 it would leave out the second sorting (pgvector's manual).
        found = rows if high is None else f"{rows} LIMIT {high}"
        return f"WITH found AS MATERIALIZED ({found}) SELECT * FROM found ORDER BY distance + 0, {pk}{limits}"
    return rows + limits


def _left_out_sql(model: Any, matching: Matching, plan: Plan, high: int | None) -> str:
    """The rows of the vectors that the ANN index leaves out, `high` of each, with the same distance."""
    vector, _ = _get_columns(model)
    exact = Plan(cast="" if plan.mode == "binary" else plan.cast)
    distance = exact.distance_sql(vector, get_metric(model).operator, f"%(vector)s::{get_vector_type(model)}")
    where = matching.where.replace("%", "%%")
    return (
        f"SELECT of_one.* FROM unnest(ARRAY[{', '.join(map(quote, plan.left_out))}]) AS left_out (digest), "
        f"LATERAL (SELECT {get_columns(model).sql}, {distance} AS distance FROM {matching.table} "
        f"WHERE {where} AND {left_out_sql(vector, plan.cast, plan.left_out)} "
        f"AND {digest_sql(vector, plan.cast)} = left_out.digest LIMIT {high}) AS of_one"
    )


def _get_columns(model: Any) -> list[str]:
    return [
        connection.ops.quote_name(model._meta.get_field(f).column) for f in ("vector", model._meta.pk.name)
    ]
