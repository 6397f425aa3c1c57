"""A search as a ranking of answers: source objects, by their best chunk, as the search page shows them."""

from collections.abc import Iterable, Mapping
from typing import Any

from apps.search.indexes.source_objects import Source, get_source_objects
from apps.search.searching.results import find_best_documents
from apps.search.storage.pgvector.provider import PgVectorProvider

DEPTH = 10  # answers that are compared where nothing else is said


def make_key(document_key: str) -> str:
    """Return the key of the answer that a document belongs to: of its object, else its own."""
    source = Source.from_key(document_key)
    return source.prefix if source else document_key


def find_source(key: str) -> Source | None:
    """Return the object that an answer's key stands for, None for a document that was made from none."""
    return Source.from_key(f"{key}0") if key.endswith(":") else None


def rank_answers(
    provider: PgVectorProvider,
    text: str,
    mode: str = "semantic",
    *,
    filter: Mapping[str, Any] | None = None,
    limit: int = DEPTH,
) -> list[str]:
    """Return the keys of the best answers to a text, the best first and each once.

    Answers whose object is gone do not come up. Raises as `apps.search.searching.hybrid.search_by_mode`.
    """
    best = find_best_documents(provider, text, limit, filter, mode, get_key=make_key)
    return [key for key, _ in load_answers(make_key(each.document_key) for each in best)][:limit]


def load_answers(keys: Iterable[str]) -> list[tuple[str, Any]]:
    """Return the keys in their order, each with its object, None for a document that was made from none.

    Keys of objects that no longer exist are left out. One query a model.
    """
    sources = {key: find_source(key) for key in keys}
    objects = get_source_objects(sources.values())
    return [
        (key, objects[source] if source else None)
        for key, source in sources.items()
        if source is None or source in objects
    ]
