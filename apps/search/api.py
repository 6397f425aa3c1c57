"""GET /api/search."""

from typing import Any

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema

from apps.search.access import may_search
from apps.search.embedders import EmbeddingError
from apps.search.forms import MAX_LIMIT, MAX_QUERY_LENGTH, SearchForm
from apps.search.results import Result, get_url, search_documents
from apps.search.sources import Source
from tenants.context import get_current_tenant

router = Router(tags=["search"])


class SearchQuery(Schema):
    """What may be asked. The form validates; this describes it for the API's documentation."""

    q: str = Field("", description=f"What to look for: 1 to {MAX_QUERY_LENGTH:,} characters.")
    index: str = Field("", description="The index to search; articles when left out.")
    limit: str = Field("10", description=f"How many documents: 1 to {MAX_LIMIT}.")


class SourceOut(Schema):
    """The object that a document was made from."""

    model: str
    pk: str
    key: str
    title: str
    url: str


class ResultOut(Schema):
    """One document; a larger score is nearer."""

    document_key: str
    score: float
    content: str
    metadata: dict[str, Any]
    source: SourceOut | None


class SearchOut(Schema):
    """The answer."""

    query: str
    index: str
    space: str
    results: list[ResultOut]


class ErrorsOut(Schema):
    """The fields at fault, each with its messages."""

    errors: dict[str, list[str]]


def public_search(request: HttpRequest) -> bool:
    """A django-ninja `auth=`: let anyone in where the tenant's search is public."""
    return may_search(request)


@router.get("/search", response={200: SearchOut, 401: ErrorsOut, 422: ErrorsOut, 503: ErrorsOut})
def search(request: HttpRequest, parameters: Query[SearchQuery]) -> tuple[int, dict[str, Any]]:
    """Search one index by meaning; the nearest documents come first."""
    form = SearchForm(parameters.dict())
    if not form.is_valid():
        return 422, {
            "errors": {
                field: [str(message) for message in messages] for field, messages in form.errors.items()
            }
        }
    query, index, limit = (form.cleaned_data[name] for name in ("q", "index", "limit"))
    try:
        results = search_documents(query, index, limit)
    except EmbeddingError:
        return 503, {"errors": {"q": ["The embedding service does not answer. Try again later."]}}
    return 200, {
        "query": query,
        "index": index,
        "space": get_current_tenant().space,
        "results": [_as_dict(result) for result in results],
    }


def _as_dict(result: Result) -> dict[str, Any]:
    document = result.document
    return {
        "document_key": document.document_key,
        "score": document.score,
        "content": document.content,
        "metadata": document.metadata,
        "source": _source_as_dict(result.source) if result.source else None,
    }


def _source_as_dict(obj: Any) -> dict[str, str]:
    source = Source.of(obj)
    return {
        "model": source.model,
        "pk": source.pk,
        "key": obj.get_index_key(),
        "title": str(obj),
        "url": get_url(obj),
    }
