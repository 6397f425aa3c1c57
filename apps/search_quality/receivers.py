"""What is done with a search that was answered: it is noted, and its results can be promoted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from apps.search.searching.results import Result
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


def note_answered(asked: Mapping[str, Any], **kwargs: Any) -> None:
    """Note what was asked; the next page of the same search is no new one."""
    if not asked.get("after"):
        note_search(asked["index"], asked["q"], asked["mode"])


def offer_promotion(
    request: HttpRequest, asked: Mapping[str, Any], results: Sequence[Result] | None, **kwargs: Any
) -> dict[str, Any]:
    """Return for the page `may_view_quality` and, for whoever may promote, `promotions`.

    These are by the documents' primary keys.
    """
    if results is None:
        return {}
    context: dict[str, Any] = {"may_view_quality": request.user.has_perm(MAY_VIEW)}
    if results and request.user.has_perm(MAY_PROMOTE):
        promoted = find_promoted(asked["index"], asked["q"], asked["filter"])
        keys = {result.document.pk: make_key(result.document.document_key) for result in results}
        context["promotions"] = {pk: Promotion(key, key in promoted) for pk, key in keys.items()}
    return context
