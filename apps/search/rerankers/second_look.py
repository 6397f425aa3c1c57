"""A second look: the best of what a search found, put into a new order by the space's reranker.

A reranker that fails, or takes longer than it may, leaves the order as it was, and the report says so.
"""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from apps.search.embedders import EmbeddingError, OptionGroup, has_entry
from apps.search.endpoints.patience import in_a_hurry
from apps.search.storage.pgvector.keywords.conditions import get_meant
from apps.search.storage.pgvector.provider import PgVectorProvider

from .choosing import ChosenReranker, get_reranker
from .reranker import Candidate, Question, RerankError

logger = logging.getLogger(__name__)

FAILED = "The second look at the best results failed, so they are in the search's own order."


@dataclass
class Report:
    """What became of the second look: the reranker's alias, "" where there is none, and why it failed, if so.

    `first_ranks` has, by primary key, the ranks from 1 before it.
    """

    reranker: str = ""
    fault: str = ""
    milliseconds: float = 0.0
    first_ranks: dict[int, int] = field(default_factory=dict)


_report: ContextVar[Report | None] = ContextVar("second_look", default=None)
_forced: ContextVar[tuple[str] | None] = ContextVar("forced_reranker", default=None)


def check_reranker(options: Mapping[str, object]) -> None:
    """Raise ValueError, naming the option, for a `reranker` that cannot work."""
    alias = options.get("reranker", "")
    if not isinstance(alias, str):
        raise ValueError(f"reranker is {alias!r}; allowed: an alias of RERANKERS, or '' for none.")
    if alias:
        try:
            get_reranker(alias)
        except ImproperlyConfigured as error:
            raise ValueError(f"reranker: {error}") from error


# OPTIONS of a space: the alias in settings.RERANKERS of what looks a second time.
options_of_reranking = OptionGroup(("reranker",), check_reranker)


@contextmanager
def using_reranker(alias: str) -> Iterator[None]:
    """Search by this reranker within the block, or by none for "", whatever the space says."""
    token = _forced.set((alias,))
    try:
        yield
    finally:
        _forced.reset(token)


@contextmanager
def reporting() -> Iterator[Report]:
    """Yield a report that second looks within the block write into; the last one counts."""
    token = _report.set(report := Report())
    try:
        yield report
    finally:
        _report.reset(token)


def find_reranker(provider: PgVectorProvider) -> ChosenReranker | None:
    """Return what looks a second time in the provider's space, or None. Raises ImproperlyConfigured."""
    if forced := _forced.get():
        alias = forced[0]
    else:
        options = options_of_reranking.read(provider.space) if has_entry(provider.space) else {}
        alias = options.get("reranker", "")
    return get_reranker(alias) if alias else None


def look_again(provider: PgVectorProvider, text: str, rows: Any, limit: int) -> list[Any]:
    """Return the first `limit` rows, those within the reranker's window in its order.

    `rows` are documents with `score`, the best first, lazy or a list. They stay in this order where the space
    has no reranker, where that fails, and where two have equal scores there.
    """
    chosen = find_reranker(provider)
    if chosen is None:
        return list(rows[:limit])
    found = list(rows[: max(limit, chosen.window)])
    report = _report.get() or Report()
    report.reranker, report.fault = chosen.alias, ""
    report.first_ranks = {row.pk: rank for rank, row in enumerate(found, 1)}
    begin = time.perf_counter()
    best, rest = found[: chosen.window], found[chosen.window :]
    try:
        scores = _rerank(provider, chosen, text, best)
    except RerankError as error:
        logger.warning("The reranker %s failed. %s", chosen.alias, error)
        report.fault = str(error)
    else:
        order = sorted(range(len(best)), key=lambda position: -scores[position])
        found = [*(best[position] for position in order), *rest]
    report.milliseconds = round(1000 * (time.perf_counter() - begin), 2)
    return found[:limit]


def _rerank(provider: PgVectorProvider, chosen: ChosenReranker, text: str, rows: list[Any]) -> list[float]:
    until = time.monotonic() + chosen.seconds
    meant = get_meant(text)
    vector, vectors = None, dict[int, Any]()
    with in_a_hurry():
        if chosen.reranker.wants_vectors:
            among = provider.objects.filter(pk__in=[row.pk for row in rows])
            vectors = dict(among.values_list("pk", "vector"))
            try:
                vector = provider.embed_query(meant)  # which the search has just embedded
            except EmbeddingError as error:
                raise RerankError(f"The query has no vector. {error}") from error
        candidates = [
            Candidate(row.content, str(row.metadata.get("title") or ""), row.score, vectors.get(row.pk))
            for row in rows
        ]
        left = until - time.monotonic()
        if left <= 0:
            raise RerankError(f"It may take {chosen.seconds:g} s, and they were over before it began.")
        return chosen.reranker.rerank(Question(meant, vector), candidates, left)
