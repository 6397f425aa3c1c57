"""The search page."""

from dataclasses import replace
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.search.embedders import EmbeddingError
from apps.search.searching.access import search_access_required
from apps.search.searching.answering import RefusedSearchError, answer_objects, tell_answered
from apps.search.searching.explaining import may_explain
from apps.search.searching.forms import SearchForm
from apps.search.searching.narrowing import list_facets, list_parts
from apps.search.storage.pgvector.ranking.paging import InvalidCursorError


@search_access_required
def search(request: HttpRequest) -> HttpResponse:
    """Show the ranked results of `?q=`; 400 with the reason for bad input.

    When the embedder fails, those of a search by words with a notice; 503 when that fails, too.
    """
    form = SearchForm(request.GET if "q" in request.GET else None, initial=request.GET.dict())
    context: dict[str, Any] = {
        "form": form,
        "query": request.GET.get("q", ""),
        "answer": None,
        "failure": "",
        "may_explain": may_explain(request),
    }
    status = 200
    if form.is_valid():
        asked = form.get_request()
        context["parts"] = list_parts(asked.filter)
        try:
            answer = answer_objects(replace(asked, explain=asked.explain and context["may_explain"]))
            context |= {"answer": answer, "facets": list_facets(asked, answer)}
            context |= tell_answered(request, asked, answer)
        except (RefusedSearchError, InvalidCursorError) as error:
            form.add_error("after" if isinstance(error, InvalidCursorError) else "q", str(error))
            status = 400
        except EmbeddingError:
            context["failure"], status = "Search cannot answer just now. Try again in a minute.", 503
    elif form.is_bound:
        status = 400
    return render(request, "search/search.html", context, status=status)
