"""Documents and the objects they were made from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db.models import Model

from apps.search.chunking import Chunker, as_chunk
from apps.search.documents import Document
from apps.search.indexed import Indexed
from apps.search.indexes.registry import get_indexed_models, get_named_model
from apps.search.spaces.space_chunker import get_chunker


@dataclass(frozen=True)
class Source:
    """Which object a document was made from: the model's label and the primary key as text."""

    model: str
    pk: str

    @property
    def prefix(self) -> str:
        """What the keys of all its documents begin with."""
        return f"{self.model}:{quote(self.pk, safe='')}:"

    @classmethod
    def of(cls, obj: Model) -> "Source":
        """Return what names this object in the index of its model, which may know it as its parent's."""
        return cls(get_named_model(type(obj))._meta.label_lower, str(obj.pk))

    @classmethod
    def from_key(cls, document_key: str) -> "Source | None":
        """Return the object that a document's key names, None if it names none of an indexed model."""
        label, pk = split_key(document_key) or ("", "")
        if label not in {model._meta.label_lower for model in get_indexed_models()}:
            return None
        try:
            apps.get_model(label)._meta.pk.to_python(pk)
        except ValidationError:
            return None
        return cls(label, pk)


def split_key(document_key: str) -> tuple[str, str] | None:
    """Return label and key out of `label:key:number`, None for what was not written so."""
    label, _, rest = document_key.partition(":")
    key, _, number = rest.partition(":")
    return (label, unquote(key)) if number.isdecimal() else None


def make_documents(
    obj: Indexed,
    space: str | None = None,
    *,
    prefix: str | None = None,
    content: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> list[Document]:
    """Return an object's documents in a space: one for each chunk, with keys `app.model:pk:number`.

    Without a space the model's own chunker cuts, which must be one that needs no embedder. `prefix` (of the
    keys), `content` and `metadata` replace the object's own. Raises ImproperlyConfigured for a chunker
    that does not fit.
    """
    chunker = obj.chunker
    if space is not None:
        chunker = get_chunker(chunker, f"{obj._meta.label}.chunker", space)
    content = obj.get_index_content() if content is None else content
    metadata = obj.get_index_metadata() if metadata is None else metadata
    return cut(prefix or Source.of(obj).prefix, content, metadata, chunker)


def cut(prefix: str, content: str, metadata: Mapping[str, Any], chunker: Chunker) -> list[Document]:
    """Return a text's documents, one for each chunk; their keys are the prefix with a number.

    Where a chunk and the text both have a key of metadata, such as "headings", the text's counts.
    """
    return [
        Document(f"{prefix}{number}", chunk.text, {**chunk.metadata, **metadata})
        for number, chunk in enumerate(map(as_chunk, chunker.chunk(content)))
    ]


def get_source_objects(sources: Iterable[Source | None]) -> dict[Source, Any]:
    """Return those of these objects that still exist; one query for each model."""
    keys: dict[str, set[str]] = {}
    for source in filter(None, sources):
        keys.setdefault(source.model, set()).add(source.pk)
    found: dict[Source, Any] = {}
    for label, pks in keys.items():
        for obj in apps.get_model(label)._default_manager.filter(pk__in=pks):
            found[Source(label, str(obj.pk))] = obj
    return found
