"""Search results for people and programs: the best chunk of each object, with the object it came from."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Model

from apps.search.factory import get_provider
from apps.search.indexed import Indexed
from apps.search.snippets import make_snippet
from apps.search.sources import Source, get_source_objects

CHUNKS_PER_OBJECT = 4  # how many chunks are read for each object wanted


@dataclass(frozen=True)
class Result:
    """One row of a result list; `source` is None for a document that was made from no object."""

    document: Any
    source: Any
    snippet: str

    @property
    def score(self) -> float:
        """The document's score; larger is nearer."""
        return self.document.score

    @property
    def title(self) -> str:
        """The object's own name, else the document's key."""
        return str(self.source or self.document.document_key)

    @property
    def url(self) -> str:
        """The object's page, empty when it has none."""
        return get_url(self.source)


def search_documents(text: str, index_name: str, limit: int) -> list[Result]:
    """Return the nearest documents, each with its object; two queries and one more for each model."""
    documents = list(get_provider(index_name).search(text)[:limit])
    return _with_sources(documents, text)


def search_objects(text: str, index_name: str, limit: int) -> list[Result]:
    """Return the best document of each of the nearest objects."""
    return _best_of_each(search_documents(text, index_name, limit * CHUNKS_PER_OBJECT))[:limit]


def find_similar(obj: Indexed, limit: int) -> list[Result]:
    """Return the objects of the same index whose documents are nearest to the object's first one.

    Nothing is embedded; an object that is not indexed yet has none.
    """
    provider = get_provider(obj.index_name)
    prefix = Source.of(obj).prefix
    vector = provider.objects.filter(document_key=f"{prefix}0").values_list("vector", flat=True).first()
    if vector is None:
        return []
    others = provider.nearest(vector).exclude(document_key__startswith=prefix)
    return _best_of_each(_with_sources(list(others[: limit * CHUNKS_PER_OBJECT]), ""))[:limit]


def get_url(obj: Model | None) -> str:
    """Return the object's page on the tenant's site, or "" when it has none."""
    get_absolute_url = getattr(obj, "get_absolute_url", None)
    return get_absolute_url() if get_absolute_url else ""


def _with_sources(documents: list[Any], text: str) -> list[Result]:
    sources = [Source.from_key(document.document_key) for document in documents]
    objects = get_source_objects(sources)
    return [
        _make_result(document, objects[source] if source else None, text)
        for document, source in zip(documents, sources, strict=True)
        # A document whose object was deleted a moment ago is about to be removed by a worker.
        if source is None or source in objects
    ]


def _make_result(document: Any, obj: Model | None, text: str) -> Result:
    # The title stands above the snippet already.
    return Result(document, obj, make_snippet(document.content.removeprefix(str(obj)), text))


def _best_of_each(results: list[Result]) -> list[Result]:
    best: dict[Any, Result] = {}
    for result in results:
        best.setdefault(Source.of(result.source) if result.source else result.document.pk, result)
    return list(best.values())
