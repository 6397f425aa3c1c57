"""Chooses the plan of a search: through the ANN index where that is good enough, else exactly."""

import json
from collections.abc import Callable
from typing import Any, Protocol

from apps.search.storage.pgvector.conf import conf
from apps.search.storage.pgvector.searching.tuning import get_ef_search
from apps.search.storage.pgvector.tables.ann_index import AnnIndex, ask_for_ann_index, find_ann_index
from apps.search.storage.pgvector.tables.plan import EXACT, Plan

UNKNOWN_EF_SEARCH = 400  # where nobody knows how many candidates a filter throws away
MAX_EF_SEARCH = 1_000  # pgvector's
FEW_TIMES = 20  # times EXACT_ROWS: so many rows are still searched exactly, where no effort would find enough
ROOM = 20  # how many of the candidates should be left by a filter, for a search of ten rows
LONGEST_CONDITION, MAX_CONDITIONS = 1_000, 500  # characters, and how many are remembered
MAX_LIMIT = 1_000  # an ANN search is for the first rows; whoever wants more wants them all


class Rows(Protocol):
    """What a search chooses from: an EmbeddingQuerySet or a Matching."""

    def explain(self, *, format: str) -> str:
        """Return PostgreSQL's plan for reading them."""

    def count_up_to(self, most: int) -> int:
        """Return how many there are, or `most` if there are more."""


def choose_plan(spec: Any, *, limit: int | None, is_filtered: bool, get_matching: Callable[[], Rows]) -> Plan:
    """Return the plan for a search of `spec` that wants rows up to `limit` (offset included).

    `get_matching()` returns the rows that the conditions leave, without order and limits.
    """
    index = find_ann_index(spec.model, spec.space, spec.index_name, spec.dimensions)
    if index is None and limit is not None:
        ask_for_ann_index(spec.model, spec.space, spec.index_name, spec.dimensions)
    if index is None or limit is None or limit > MAX_LIMIT or (index.mode == "binary" and is_filtered):
        return EXACT
    matches = None
    if is_filtered or index.is_shared:
        matches = _count(get_matching(), index)
        if matches <= conf.EXACT_ROWS:
            return Plan(matches=matches)
    tuning = dict(spec.tuning)
    if index.mode == "ivfflat":
        # Twice what pgvector advises (its manual, "IVFFlat"): the recall aimed at here takes so many probes.
        probes = round(2 * index.lists**0.5)
        tuning = {"probes": max(1, min(index.lists, probes))} | tuning
    elif index.mode == "hnsw":
        usual = get_ef_search()
        effort = int(tuning.get("ef_search", index.ef_search or usual))
        if matches is not None:
            effort = _widen(effort, matches, index)
            if effort > MAX_EF_SEARCH and matches <= FEW_TIMES * conf.EXACT_ROWS:
                return Plan(matches=matches)
            effort = min(effort, MAX_EF_SEARCH)
        if matches is not None or effort != usual:  # a search that sets nothing can be prepared
            tuning["ef_search"] = effort
    return Plan(index.mode, index.cast, tuning, matches, index.left_out, index.is_unit, index.missed_recall)


def _count(rows: Rows, index: AnnIndex) -> int:
    """Return about how many rows there are, as it was found while `index` is remembered.

    The same filter comes again and again: with each page, with each letter of a query.
    """
    condition = getattr(rows, "where", "")
    known = index.matches.get(condition)
    if known is not None:
        return known
    found = _estimate(rows, index)
    if 0 < len(condition) <= LONGEST_CONDITION and len(index.matches) < MAX_CONDITIONS:
        index.matches[condition] = found
    return found


def _estimate(rows: Rows, index: AnnIndex) -> int:
    """Return PostgreSQL's estimate where it can be trusted, else a short count.

    PostgreSQL knows how frequent the values of metadata are, and containment asks for those. Of ranges and
    patterns it knows nothing; it takes them to leave next to no row.
    """
    if index.has_statistics:
        plan = rows.explain(format="json")
        estimate = int(json.loads(plan)[0]["Plan"]["Plan Rows"])
        if estimate > conf.EXACT_ROWS or "metadata @>" in plan:
            return estimate
    return rows.count_up_to(conf.EXACT_ROWS + 1)


def _widen(ef_search: int, matches: int, index: AnnIndex) -> int:
    """Return how many candidates a filtered search needs where an unfiltered one needs `ef_search`.

    The fewer of them the filter leaves, the more there must be. More than pgvector takes where hardly any of
    those would be left. Measured with `make bench`: the recall stays above 0.98 from half of the rows down to
    the exact search.
    """
    may_be_more = matches == conf.EXACT_ROWS + 1  # the count ended there
    if not index.has_statistics or index.rows <= 0 or may_be_more:
        return max(ef_search, UNKNOWN_EF_SEARCH)
    share = min(1.0, matches / index.rows)
    wanted = min(MAX_EF_SEARCH, round(ef_search * (1 + 0.35 / share)))
    return max(wanted, round(ROOM / share))
