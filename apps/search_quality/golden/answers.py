"""Answers by their keys. A key stands for a source object, or for a document that was made from none."""

from collections.abc import Iterable
from typing import Any

from apps.search.indexes.source_objects import Source, get_source_objects


def make_key(document_key: str) -> str:
    """Return the key of the answer that a document belongs to: of its object, else its own."""
    source = Source.from_key(document_key)
    return source.prefix if source else document_key


def find_source(key: str) -> Source | None:
    """Return the object that an answer's key stands for, None for a document that was made from none."""
    return Source.from_key(f"{key}0") if key.endswith(":") else None


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
