"""An answered search is told to whoever listens: the search knows neither who that is nor whether."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.dispatch import Signal
from django.http import HttpRequest

from apps.search.searching.results import Result

search_answered = Signal()


def tell_answered(
    request: HttpRequest, asked: Mapping[str, Any], results: Sequence[Result] | None = None
) -> dict[str, Any]:
    """Send `search_answered` with what was asked, as the form validated it; return what the receivers return.

    The page gives its `results`, and its template knows what the receivers add. A receiver that fails is
    logged by Django and spoils no answer.
    """
    told = search_answered.send_robust(HttpRequest, request=request, asked=asked, results=results)
    return {name: value for _, found in told if isinstance(found, dict) for name, value in found.items()}
