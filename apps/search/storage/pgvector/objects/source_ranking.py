"""From the documents nearest to a vector to the source objects, each once.

The key of such a document is `app.model:pk:number`, the primary key percent-encoded. One statement groups the
nearest documents by what stands before the number and drops the objects that do not exist.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import numpy as np
from django.core.exceptions import EmptyResultSet
from django.db.models import Field, FloatField, QuerySet, TextField

from apps.search.options.values import require_int
from apps.search.storage.pgvector.objects.source_keys import get_pk_condition
from apps.search.storage.pgvector.ranking.by_key import ValueByKey
from apps.search.storage.pgvector.searching.nearest import NearestQuerySet
from apps.search.storage.pgvector.searching.planner import MAX_LIMIT
from apps.search.storage.pgvector.searching.rows import get_columns, make_objects
from apps.search.storage.pgvector.searching.tuning import tuned
from apps.search.storage.pgvector.tables.queryset import TenantQuery, check_schema
from tenants.context import connection

SMALLEST_WINDOW = 50  # documents
WINDOW_PER_SOURCE = 5
RANKING_SQL = """
    SELECT {columns}, best.source, best.distance, best.chunks, best.seen, best.farthest
    FROM (
        SELECT DISTINCT ON (source) source, pk, distance, seen, farthest,
            count(*) OVER (PARTITION BY source) AS chunks
        FROM (
            SELECT pk, distance, count(*) OVER () AS seen, max(distance) OVER () AS farthest,
                substring(document_key FROM '^([^:]+:[^:]+):[0-9]+$') AS source
            FROM ({candidates}) AS candidates (pk, document_key, distance)
        ) AS named
        WHERE source IS NOT NULL ORDER BY source, distance, pk
    ) AS best
    JOIN {table} ON {table}.{pk} = best.pk
    WHERE {exists} ORDER BY best.distance, best.source LIMIT {limit}
"""


# What a search for source objects takes: a text, a vector, or a search for documents that is not sliced.
type Query = str | Sequence[float] | np.ndarray | NearestQuerySet


@dataclass(frozen=True)
class RankedSource:
    """A source object by its model's label and its key as text, with its best document."""

    label: str
    pk: str
    document: Any
    chunks: int


@dataclass(frozen=True)
class SourceHit:
    """A source object, its best document, and how many of its documents were among the candidates."""

    source: Any
    document: Any
    chunks: int

    @property
    def score(self) -> float:
        """The best document's score; larger is nearer."""
        return self.document.score


def rank(
    nearest: NearestQuerySet, objects: Iterable[QuerySet], limit: int, min_score: float | None = None
) -> list[RankedSource]:
    """Return the `limit` best of these objects, by their nearest document, that score `min_score` or more.

    Looks at a window of the nearest documents, through the ANN index where the planner says so; where the
    window holds too few objects, at all documents. Raises ValueError for a bad limit and TenantMismatchError
    for a search of another tenant.
    """
    require_int("limit", limit, minimum=1)
    check_schema(nearest.query.schema_name)
    if nearest.query.is_empty():
        return []
    window = max(limit, min(MAX_LIMIT, max(SMALLEST_WINDOW, WINDOW_PER_SOURCE * limit)))
    sources = list(objects)
    found, is_complete = _read(nearest, sources, limit, window, min_score)
    if len(found) < limit and not is_complete:
        found, _ = _read(nearest, sources, limit, None, min_score)
    return found


def load_hits(ranked: Sequence[RankedSource], objects: Iterable[QuerySet]) -> list[SourceHit]:
    """Return the ranked objects themselves, with one query a model; those deleted meanwhile are left out."""
    loaded: dict[tuple[str, str], Any] = {}
    for rows in objects:
        label = rows.model._meta.label_lower
        if pks := [each.pk for each in ranked if each.label == label]:
            loaded |= {(label, str(obj.pk)): obj for obj in rows.filter(pk__in=pks)}
    return [
        SourceHit(loaded[each.label, each.pk], each.document, each.chunks)
        for each in ranked
        if (each.label, each.pk) in loaded
    ]


def make_ranked_queryset(objects: QuerySet, ranked: Sequence[RankedSource], tenant: Any = None) -> QuerySet:
    """Return these rows of `objects` in their order with `score`, `distance` and `snippet_key`.

    Lazy, and refuses to run in another tenant than the one bound now, or binds the `tenant` given.
    """
    pks = [objects.model._meta.pk.to_python(each.pk) for each in ranked]
    documents = [each.document for each in ranked]

    def of_document(attribute: str, field: Field) -> ValueByKey:
        return ValueByKey(pks, [getattr(document, attribute) for document in documents], field)

    rows = objects.filter(pk__in=pks).annotate(
        score=of_document("score", FloatField()),
        distance=of_document("distance", FloatField()),
        snippet_key=of_document("document_key", TextField()),
    )
    rows = rows.order_by(ValueByKey(pks, [float(place) for place in range(len(pks))], FloatField()))
    rows.query = rows.query.chain(TenantQuery)
    rows.query.schema_name, rows.query.tenant = connection.schema_name, tenant
    return rows


def _read(
    nearest: NearestQuerySet,
    objects: Sequence[QuerySet],
    limit: int,
    window: int | None,
    min_score: float | None,
) -> tuple[list[RankedSource], bool]:
    """Return the best objects, and whether no document beyond the window could add another one."""
    query: Any = nearest.values_list("pk", "document_key", "distance")[:window].query
    query.must_be_exact = window is None
    query.plan = query.choose_plan()
    try:
        sql, params = _make_sql(query, objects, limit)
    except EmptyResultSet:
        return [], True
    with tuned(query.plan.tuning), connection.cursor() as cursor:
        cursor.execute(sql, params)
        rows = cursor.fetchall()
    if not rows:
        return [], window is None
    to_score = query.spec.metric.to_score
    found = []
    for row, document in zip(rows, make_objects(query.model, rows, nearest.query.tenant), strict=True):
        source, distance, chunks, seen, farthest = row[-5:]
        document.distance, document.score = distance, to_score(distance)
        if min_score is None or document.score >= min_score:
            label, _, pk = source.partition(":")
            found.append(RankedSource(label, unquote(pk), document, chunks))
    # `seen` and `farthest` are the same in all rows.
    is_everything = query.plan.mode == "exact" and (window is None or seen < window)
    return found, is_everything or (min_score is not None and to_score(farthest) < min_score)


def _make_sql(query: Any, objects: Sequence[QuerySet], limit: int) -> tuple[str, list[Any]]:
    candidates, params = query.sql_with_params()
    conditions = [get_pk_condition(rows, "best.source") for rows in objects]
    meta = query.model._meta
    sql = RANKING_SQL.format(
        columns=get_columns(query.model).sql,
        table=connection.ops.quote_name(meta.db_table),
        pk=connection.ops.quote_name(meta.pk.column),
        candidates=candidates,
        exists=" OR ".join(sql for sql, _ in conditions),
        limit=limit,
    )
    return sql.strip(), [*params, *(param for _, own in conditions for param in own)]
