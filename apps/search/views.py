"""The search page."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.search.access import search_access_required
from apps.search.answered import tell_answered
from apps.search.embedders import EmbeddingError
from apps.search.explaining import explain_search, may_explain
from apps.search.forms import SearchForm
from apps.search.results import search_objects


@search_access_required
def search(request: HttpRequest) -> HttpResponse:
    """Show the ranked results of `?q=`; 400 with the reason for bad input, 503 when the embedder fails."""
    form = SearchForm(request.GET or None)
    context: dict[str, Any] = {"form": form, "query": request.GET.get("q", "")}
    context |= {"results": None, "failure": ""}
    context["may_explain"] = may_explain(request)
    status = 200
    if form.is_valid():
        fields = ("q", "index", "limit", "filter", "mode")
        query, index, limit, filter, mode = (form.cleaned_data[name] for name in fields)
        try:
            context["results"] = search_objects(query, index, limit, filter, mode)
            if context["may_explain"] and form.cleaned_data["explain"]:
                context["explanation"] = explain_search(query, index, filter)
            context |= tell_answered(request, form.cleaned_data, context["results"])
        except EmbeddingError:
            context["failure"], status = "Search cannot answer just now. Try again in a minute.", 503
    elif form.is_bound:
        status = 400
    return render(request, "search/search.html", context, status=status)
