"""The search page."""

from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.search.embedders import EmbeddingError
from apps.search.searching.access import search_access_required
from apps.search.searching.answered import tell_answered
from apps.search.searching.explaining import explain_if_possible, may_explain
from apps.search.searching.fallback import search_or_fall_back
from apps.search.searching.forms import SearchForm
from apps.search.searching.results import search_objects


@search_access_required
def search(request: HttpRequest) -> HttpResponse:
    """Show the ranked results of `?q=`; 400 with the reason for bad input.

    When the embedder fails, those of a search by words with a notice; 503 when that fails, too.
    """
    form = SearchForm(request.GET or None)
    context: dict[str, Any] = {"form": form, "query": request.GET.get("q", "")}
    context |= {"results": None, "failure": ""}
    context["may_explain"] = may_explain(request)
    status = 200
    if form.is_valid():
        fields = ("q", "index", "limit", "filter", "mode")
        query, index, limit, filter, mode = (form.cleaned_data[name] for name in fields)
        try:
            answer = search_or_fall_back(partial(search_objects, query, index, limit, filter), mode)
            context |= {"results": answer.found, "mode": answer.mode, "degraded": answer.degraded}
            if context["may_explain"] and form.cleaned_data["explain"] and not answer.degraded:
                context["explanation"] = explain_if_possible(query, index, filter)
            context |= tell_answered(request, form.cleaned_data, context["results"])
        except EmbeddingError:
            context["failure"], status = "Search cannot answer just now. Try again in a minute.", 503
    elif form.is_bound:
        status = 400
    return render(request, "search/search.html", context, status=status)
