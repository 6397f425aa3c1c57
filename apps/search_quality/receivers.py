"""What is done with a search that was answered: it is noted, and its results can be promoted."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from apps.search.searching.answering import SearchAnswer, SearchRequest
from apps.search_quality.golden import find_promoted
from apps.search_quality.ranking import make_key
from apps.search_quality.recent import note_search

MAY_PROMOTE = "quality.add_goldenquery"
MAY_VIEW = "quality.view_goldenquery"


@dataclass(frozen=True)
class Promotion:
    """Whether the result with this key is a right answer to the query already."""

    key: str
    is_promoted: bool


def note_answered(asked: SearchRequest, **kwargs: Any) -> None:
    """Note what was asked; the next page of the same search is no new one."""
    if not asked.after:
        note_search(asked.index, asked.q, asked.mode)


def offer_promotion(
    request: HttpRequest, asked: SearchRequest, answer: SearchAnswer | None, **kwargs: Any
) -> dict[str, Any]:
    """Return for the page `may_view_quality` and, for whoever may promote, `promotions`.

    These are by the documents' primary keys.
    """
    if answer is None:
        return {}
    context: dict[str, Any] = {"may_view_quality": request.user.has_perm(MAY_VIEW)}
    if answer.results and request.user.has_perm(MAY_PROMOTE):
        promoted = find_promoted(asked.index, asked.q, asked.filter)
        keys = {result.document.pk: make_key(result.document.document_key) for result in answer.results}
        context["promotions"] = {pk: Promotion(key, key in promoted) for pk, key in keys.items()}
    return context
