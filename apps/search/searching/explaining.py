"""Why a document was found: its place in each list, how the lists were made, and how long that took."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from django.http import HttpRequest

from apps.search.filters import compile_filter
from apps.search.providers import get_provider
from apps.search.rerankers.second_look import Report
from apps.search.searching.hybrid import search_keywords, search_nearest
from apps.search.storage.pgvector.keywords.conditions import get_meant
from apps.search.storage.pgvector.searching.query_vectors import get_query_use

PLACES = 100  # documents of each list whose place is told
PERMISSION = "pgvector.view_pgvectorembedding"


@dataclass(frozen=True)
class Place:
    """A document's place in the lists: ranks from 1, None where it is not among the first 100.

    `first_rank` is its rank in the search's own order, before the second look.
    """

    semantic_rank: int | None = None
    distance: float | None = None
    keyword_rank: int | None = None
    keyword_score: float | None = None
    first_rank: int | None = None  # before the second look; None where there was none


@dataclass
class Explanation:
    """How a search was carried out.

    `plan` is "exact", "hnsw", "ivfflat" or "binary", `matches` how many documents the filter left where that
    was counted, `milliseconds` the time of each stage, `places` those of the documents by their primary key.
    `missed_recall` is the share of the nearest that such searches find, where that is less than aimed at.
    `reranker` is what looked a second time, "" for none, `reranker_fault` why it failed, if it did.
    Of the `texts` that the tenant searched for by meaning in this process, `known_texts` were known already.
    """

    plan: str = ""
    matches: int | None = None
    missed_recall: float | None = None
    milliseconds: dict[str, float] = field(default_factory=dict)
    places: dict[int, Place] = field(default_factory=dict)
    texts: int = 0
    known_texts: int = 0
    reranker: str = ""
    reranker_fault: str = ""

    def add_second_look(self, report: Report) -> None:
        """Tell of the second look, if there was one: its alias, time and fault, and the ranks before it."""
        if not report.reranker:
            return
        self.reranker, self.reranker_fault = report.reranker, report.fault
        self.milliseconds["rerank"] = report.milliseconds
        for pk, rank in report.first_ranks.items():
            self.places[pk] = replace(self.places.get(pk, Place()), first_rank=rank)


def may_explain(request: HttpRequest) -> bool:
    """Return whether the member may see explanations, for which one must be allowed to view embeddings."""
    return request.user.has_perm(PERMISSION)


def explain_search(text: str, index_name: str, filter: Mapping[str, Any] | None = None) -> Explanation:
    """Search by meaning and by words once more, whatever the mode was, and return how that went.

    Raises what the searches raise.
    """
    use = get_query_use()
    explanation = Explanation(texts=use.texts, known_texts=use.known)
    condition = compile_filter(filter)
    provider = get_provider(index_name)
    with _timed(explanation, "embed"):
        vector = provider.embedder.embed_query(get_meant(text))
    with _timed(explanation, "semantic"):
        nearest = search_nearest(provider, vector, text, filter_q=condition)[:PLACES]
        semantic = {row.pk: (rank, row.distance) for rank, row in enumerate(nearest, 1)}
    with _timed(explanation, "keyword"):
        worded = search_keywords(provider, text, filter_q=condition)[:PLACES]
        keyword = {row.pk: (rank, row.score) for rank, row in enumerate(worded, 1)}
    explanation.plan, explanation.matches = nearest.plan.mode, nearest.plan.matches
    explanation.missed_recall = nearest.plan.missed_recall
    missing = (None, None)
    for pk in semantic | keyword:
        explanation.places[pk] = Place(*semantic.get(pk, missing), *keyword.get(pk, missing))
    return explanation


@contextmanager
def _timed(explanation: Explanation, stage: str) -> Iterator[None]:
    begin = time.perf_counter()
    yield
    explanation.milliseconds[stage] = round(1000 * (time.perf_counter() - begin), 2)
