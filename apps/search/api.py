"""GET /api/search."""

from dataclasses import asdict
from typing import Any

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema, Status

from apps.search.embedders import EmbeddingError
from apps.search.filters import OPERATORS
from apps.search.indexes.source_objects import Source
from apps.search.searching.access import may_search
from apps.search.searching.answering import (
    RefusedSearchError,
    SearchAnswer,
    SearchRequest,
    answer_documents,
    tell_answered,
)
from apps.search.searching.explaining import Explanation, may_explain
from apps.search.searching.forms import MAX_FILTER_LENGTH, MAX_LIMIT, MAX_QUERY_LENGTH, SearchForm
from apps.search.searching.refusals import ErrorsOut, refuse, refuse_form
from apps.search.searching.results import Result, get_url
from apps.search.storage.pgvector.ranking.paging import InvalidCursorError

router = Router(tags=["search"])
AUTH = [may_search]  # anyone, where the tenant's search is public

FILTER_DESCRIPTION = f"""Which documents, by their metadata: JSON of up to {MAX_FILTER_LENGTH:,} characters.

`{{"lang": "en"}}` wants this value, `{{"year": {{"gte": 2020, "lt": 2025}}}}` a range,
`{{"author.name": {{"like": "A%"}}}}` a key within an object; several keys must all hold. Filters are
joined by `{{"and": [...]}}`, `{{"or": [...]}}` and `{{"not": {{...}}}}`.
Operators: {", ".join(f"`{name}`" for name in OPERATORS)}.
A fault is answered with its path, such as `and[1].year.gte`."""


class SearchQuery(Schema):
    """Describes the parameters for the API's documentation; SearchForm validates them."""

    q: str = Field("", description=f"What to look for: 1 to {MAX_QUERY_LENGTH:,} characters.")
    index: str = Field("", description="The index to search; the default one when left out.")
    limit: str = Field("10", description=f"How many results: 1 to {MAX_LIMIT}.")
    filter: str = Field(
        "", description=FILTER_DESCRIPTION, examples=['{"lang": "en", "year": {"gte": 2020}}']
    )
    mode: str = Field(
        "semantic",
        description='semantic finds by meaning, keyword by words, hybrid by both. Of words, a "phrase" must '
        "be there and a -word must not.",
    )
    facets: str = Field("", description="Keys of the metadata, separated by commas, whose values to count.")
    explain: str = Field("", description="true: say why, to a member who may view embeddings.")
    after: str = Field("", description="`next` of the page before; ask the same otherwise.")
    by: str = Field(
        "document",
        description="What a result is. document: each document by itself. object: each object once, by its "
        "best document; objects whose best documents have the same text are one result.",
    )


class SourceOut(Schema):
    """The object that a document was made from."""

    model: str
    pk: str
    key: str
    title: str
    url: str


class PlaceOut(Schema):
    """A document's place in each list: ranks from 1, null where it is not among the first 100."""

    semantic_rank: int | None
    distance: float | None
    keyword_rank: int | None
    keyword_score: float | None
    first_rank: int | None = Field(description="Before the second look; null where there was none.")


class FacetOut(Schema):
    """How many of the documents that fit the filter have a value."""

    value: Any
    count: int


class ExplanationOut(Schema):
    """How the search was carried out: exactly or through which index, and the time of each stage."""

    plan: str
    matches: int | None
    missed_recall: float | None = Field(description="Of the nearest, if searches find fewer than wanted.")
    milliseconds: dict[str, float]
    reranker: str = Field(description="What looked a second time at the best results; empty: nothing.")
    reranker_fault: str = Field(description="Why the second look failed, if it did.")
    texts: int = Field(description="Searched for by meaning in this process of the server.")
    known_texts: int = Field(description="Those among them that had been embedded before.")


class SameOut(Schema):
    """Another object's best document, which has the same text."""

    document_key: str
    source: SourceOut | None


class ResultOut(Schema):
    """One document; a larger score is better. Scores of different modes cannot be compared."""

    document_key: str
    score: float
    content: str
    metadata: dict[str, Any]
    source: SourceOut | None
    more: int = Field(description="By object: how many other documents of the object were found.")
    same: list[SameOut] = Field(description="By object: the results that were folded into this one.")
    explanation: PlaceOut | None


class SearchOut(Schema):
    """The answer."""

    query: str
    index: str
    space: str
    mode: str
    mode_used: str = Field(description="keyword, whatever the mode, where the embedder does not answer.")
    degraded: str | None = Field(description="Why it is another mode than was asked for, otherwise null.")
    note: str | None = Field(
        description="Why nothing was found, or that even the best result is no close match; mostly null."
    )
    results: list[ResultOut]
    explanation: ExplanationOut | None
    facets: dict[str, list[FacetOut]]
    next: str | None = Field(
        description="For `after`, to get the next page; null on the last one. Pages by object, and those of "
        "the modes keyword and hybrid, end with the best 1,000 documents."
    )


@router.get(
    "/search", response={200: SearchOut, 401: ErrorsOut, 403: ErrorsOut, 422: ErrorsOut, 503: ErrorsOut}
)
def search(request: HttpRequest, parameters: Query[SearchQuery]) -> Status[dict[str, Any]]:
    """Search one index by meaning, by words or by both; the best documents come first."""
    form = SearchForm(parameters.dict())
    if not form.is_valid():
        return refuse_form(form)
    asked = form.get_request()
    if asked.explain and not may_explain(request):
        return refuse(403, explain="This needs the permission to view embeddings.")
    try:
        answer = answer_documents(asked)
    except InvalidCursorError as error:
        return refuse(422, after=str(error))
    except RefusedSearchError as error:
        return refuse(422, q=str(error))
    except EmbeddingError:
        return refuse(503, q="The embedding service does not answer. Try again later.")
    tell_answered(request, asked)
    return Status(200, _render(asked, answer))


def _render(asked: SearchRequest, answer: SearchAnswer) -> dict[str, Any]:
    return {
        "query": asked.q,
        "index": asked.index,
        "space": answer.space,
        "mode": asked.mode,
        "mode_used": answer.mode,
        "degraded": answer.degraded or None,
        "note": answer.note or None,
        "results": [_render_result(result, answer.explanation) for result in answer.results],
        "next": answer.next,
        "explanation": asdict(answer.explanation) if answer.explanation else None,
        "facets": answer.facets,
    }


def _render_result(result: Result, explanation: Explanation | None) -> dict[str, Any]:
    document = result.document
    place = explanation.places.get(document.pk) if explanation else None
    return {
        "document_key": document.document_key,
        "score": document.score,
        "content": document.content,
        "metadata": document.metadata,
        "source": _render_source(result),
        "more": result.more,
        "same": [
            {"document_key": other.document.document_key, "source": _render_source(other)}
            for other in result.same
        ],
        "explanation": asdict(place) if place else None,
    }


def _render_source(result: Result) -> dict[str, str] | None:
    if result.source is None:
        return None
    obj, named = result.source, Source.from_key(result.document.document_key)
    return {
        "model": named.model if named else "",
        "pk": str(obj.pk),
        "key": obj.get_index_key(),
        "title": str(obj),
        "url": get_url(obj),
    }
