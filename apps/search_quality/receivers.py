"""What this app adds: searches are noted, their results can be promoted, and spaces are compared."""

from dataclasses import asdict, dataclass
from typing import Any

from django.http import HttpRequest

from apps.search.embedders import EmbeddingError
from apps.search.indexes.registry import get_index_names
from apps.search.searching.answering import SearchAnswer, SearchRequest
from apps.search_quality.comparing import Comparison, compare_spaces
from apps.search_quality.golden.answers import make_key
from apps.search_quality.golden.promoting import find_promoted
from apps.search_quality.recent import note_search

MAY_PROMOTE = "quality.add_goldenquery"
MAY_VIEW = "quality.view_goldenquery"
SHOWN = 5  # of an index's recent queries, those whose answers differ most


@dataclass(frozen=True)
class Promotion:
    """The key of a result, and whether it is a right answer to the query already."""

    key: str
    is_promoted: bool


def note_answered(asked: SearchRequest, **kwargs: Any) -> None:
    """Note what was asked, once: the next page of a search is not a new search."""
    if not asked.after:
        note_search(asked.index, asked.q, asked.mode)


def offer_promotion(
    request: HttpRequest, asked: SearchRequest, answer: SearchAnswer | None, **kwargs: Any
) -> dict[str, Any]:
    """Return `may_view_quality` for the page and, for members who may promote, `promotions`.

    The promotions stand under the primary keys of the documents.
    """
    if answer is None:
        return {}
    context: dict[str, Any] = {"may_view_quality": request.user.has_perm(MAY_VIEW)}
    if answer.results and request.user.has_perm(MAY_PROMOTE):
        promoted = find_promoted(asked.index, asked.q, asked.filter)
        keys = {result.document.pk: make_key(result.document.document_key) for result in answer.results}
        context["promotions"] = {pk: Promotion(key, key in promoted) for pk, key in keys.items()}
    return context


def compare(current: str, candidate: str, **kwargs: Any) -> dict[str, Any]:
    """Return how alike two spaces of the bound tenant answer, as JSON: figures and recent queries only.

    Searches by words and meaning together, as people do.
    """
    try:
        made = [compare_spaces(name, current, candidate, mode="hybrid") for name in get_index_names()]
    except EmbeddingError as error:
        return {"fault": str(error), "indexes": []}
    return {"fault": "", "indexes": [_summarise(each) for each in made]}


def _summarise(comparison: Comparison) -> dict[str, Any]:
    return {
        "index_name": comparison.index_name,
        "queries": comparison.queries,
        "overlap": comparison.overlap and asdict(comparison.overlap),
        "verdict": comparison.verdict,
        "gain": comparison.gain and asdict(comparison.gain),
        "current_ndcg": comparison.current_golden and comparison.current_golden.ndcg,
        "candidate_ndcg": comparison.candidate_golden and comparison.candidate_golden.ndcg,
        "differences": [
            {"query": each.query, "overlap": each.overlap} for each in comparison.differences[:SHOWN]
        ],
    }
