"""Chooses the plan of a search: through the index where that is good enough, else exactly."""

import json
from collections.abc import Callable
from typing import Any, Protocol

from django.conf import settings

from apps.search.storage.pgvector.searching.tuning import get_ef_search
from apps.search.storage.pgvector.tables.ann_index import AnnIndex, find_ann_index
from apps.search.storage.pgvector.tables.plan import EXACT, Plan

EXACT_ROWS = 1_000  # up to so many matching rows, an exact search beats the index in recall and costs little
UNKNOWN_EF_SEARCH = 400  # where nobody knows how many candidates a filter throws away
MAX_LIMIT = 1_000  # an index search is for the first rows; whoever wants more wants them all


class Rows(Protocol):
    """What a search is to choose from: an EmbeddingQuerySet or a Matching."""

    def explain(self, *, format: str) -> str:
        """Return PostgreSQL's plan for reading them."""

    def count_up_to(self, most: int) -> int:
        """Return how many there are, or `most` if there are more."""


def get_exact_rows() -> int:
    """Return the number of matching rows up to which a filtered search is exact (PGVECTOR["EXACT_ROWS"])."""
    return getattr(settings, "PGVECTOR", {}).get("EXACT_ROWS", EXACT_ROWS)


def choose_plan(spec: Any, *, limit: int | None, is_filtered: bool, get_matching: Callable[[], Rows]) -> Plan:
    """Return the plan for a search of `spec` that wants rows up to `limit` (offset included).

    `get_matching()` returns the rows that the conditions leave, without order and limits.
    """
    index = find_ann_index(spec.model, spec.space, spec.index_name, spec.dimensions)
    if index is None or limit is None or limit > MAX_LIMIT or (index.mode == "binary" and is_filtered):
        return EXACT
    tuning, matches = _base_tuning(index), None
    if is_filtered or index.is_shared:
        matches = _count(get_matching(), index)
        if matches <= get_exact_rows():
            return Plan(matches=matches)
    tuning |= spec.tuning
    if matches is not None and index.mode == "hnsw":
        tuning["ef_search"] = _widen(int(tuning.get("ef_search", get_ef_search())), matches, index)
    return Plan(index.mode, index.cast, tuning, matches)


def _count(rows: Rows, index: AnnIndex) -> int:
    """How many rows there are: PostgreSQL's estimate where it can be trusted, else counted, but not far.

    It knows how frequent the values of metadata are, which containment asks for; of ranges and patterns it
    knows nothing, and takes them to leave next to no row.
    """
    if index.has_statistics:
        plan = rows.explain(format="json")
        estimate = int(json.loads(plan)[0]["Plan"]["Plan Rows"])
        if estimate > get_exact_rows() or "metadata @>" in plan:
            return estimate
    return rows.count_up_to(get_exact_rows() + 1)


def _widen(ef_search: int, matches: int, index: AnnIndex) -> int:
    """How many candidates a filtered search needs where an unfiltered one needs `ef_search`.

    The fewer of them the filter leaves, the more there must be.

    Measured with `make bench`: the recall stays above 0.98 from half of the rows down to the exact search.
    """
    if not index.has_statistics or index.rows <= 0:
        return max(ef_search, UNKNOWN_EF_SEARCH)
    if matches == get_exact_rows() + 1:  # counted, and there may be many more
        return max(ef_search, UNKNOWN_EF_SEARCH)
    share = min(1.0, matches / index.rows)
    return min(1_000, round(ef_search * (1 + 0.35 / share)))


def _base_tuning(index: AnnIndex) -> dict[str, int | str]:
    """What the connection's defaults do not say: an IVFFlat index wants as many probes as its size asks for.

    The square root of the number of lists is pgvector's own advice (its manual, "IVFFlat"); twice that
    gives the recall aimed at here.
    """
    if index.mode != "ivfflat":
        return {}
    return {"probes": max(1, min(index.lists, round(2 * index.lists**0.5)))}
