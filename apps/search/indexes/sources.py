"""What an index is made from: objects of a model, texts that a function yields, files."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from itertools import batched, islice
from typing import Any
from urllib.parse import quote

from django.core.files.storage import Storage, default_storage
from django.db.models import Model, QuerySet

from apps.search.chunking import Chunker, HeadingChunker, ParagraphChunker
from apps.search.chunking.files import decode, extract_for_chunks
from apps.search.documents import Document
from apps.search.indexed import Indexed
from apps.search.indexes.registry import get_index_names, get_indexed_models, get_registered, get_row_model
from apps.search.indexes.source_objects import Source, cut, make_documents, split_key
from apps.search.spaces.space_chunker import get_chunker

BATCH = 32  # objects or texts


class IndexSource(ABC):
    """What some documents of an index are made from; their keys are `label:key:number`.

    Batches are made of items: primary keys of a model, else Texts.
    """

    label: str
    model: type[Indexed] | None = None

    @abstractmethod
    def count(self) -> int:
        """Return how many items there are."""

    @abstractmethod
    def pages(self, after: Any = None) -> Iterator[tuple[Any, list[Any]]]:
        """Yield batches, each with the position to go on after it; a position can be written as JSON."""

    @abstractmethod
    def get_key(self, item: Any) -> str:
        """Return the key of an item."""

    @abstractmethod
    def find(self, keys: Collection[str]) -> list[Any]:
        """Return the items of these keys."""

    @abstractmethod
    def list_keys(self) -> set[str]:
        """Return the keys of all items."""

    @abstractmethod
    def make_documents(self, items: Sequence[Any], space: str, *, lock: bool = False) -> list[Document]:
        """Return the documents of these items as they are now, and keep them so with `lock`."""

    def get_prefix(self, key: str) -> str:
        """Return what the keys of an item's documents begin with."""
        return f"{self.label}:{quote(key, safe='')}:"


class ModelSource(IndexSource):
    """Objects of an Indexed model: all of them, or those of a queryset.

    `queryset` is a function, called in the tenant that is bound then. `content` and `metadata` replace
    the model's own get_index_content and get_index_metadata. An object that leaves the queryset loses its
    documents when it is saved, or with `rebuild_index`. A row that is also one of a child model is read as
    that, unless the child model names another index.
    """

    def __init__(
        self,
        model: type[Indexed],
        *,
        queryset: Callable[[], QuerySet] | None = None,
        content: Callable[[Any], str] | None = None,
        metadata: Callable[[Any], Mapping[str, Any]] | None = None,
    ) -> None:
        self.model: type[Indexed] = model
        self.label = model._meta.label_lower
        self._queryset, self._content, self._metadata = queryset, content, metadata

    def get_queryset(self) -> QuerySet:
        """Return the objects, in the order of their primary keys.

        Slices, unions and DISTINCT ON come without their annotations, since they cannot be narrowed further.
        """
        objects = self._queryset() if self._queryset else self.model._default_manager.all()
        query = objects.query
        if query.is_sliced or query.combinator or query.distinct_fields:
            objects = self.model._base_manager.filter(pk__in=objects.values("pk"))
        return objects.order_by("pk")

    def count(self) -> int:
        return self.get_queryset().count()

    def pages(self, after: Any = None) -> Iterator[tuple[Any, list[Any]]]:
        """Yield primary keys; each page begins after the last key, so that inserts do not shift it."""
        pks = self.get_queryset().values_list("pk", flat=True)
        page = list(pks[:BATCH] if after is None else pks.filter(pk__gt=after)[:BATCH])
        while page:
            yield str(page[-1]), page
            page = list(pks.filter(pk__gt=page[-1])[:BATCH])

    def get_key(self, item: Any) -> str:
        return str(item)

    def find(self, keys: Collection[str]) -> list[Any]:
        """Return the primary keys, whether there is such an object or not."""
        return [self.model._meta.pk.to_python(key) for key in keys]

    def list_keys(self) -> set[str]:
        return {str(pk) for pk in self.get_queryset().values_list("pk", flat=True)}

    def make_documents(self, items: Sequence[Any], space: str, *, lock: bool = False) -> list[Document]:
        if lock:
            # Apart, since PostgreSQL locks no rows of a DISTINCT or a GROUP BY.
            rows = get_row_model(self.model)._base_manager.filter(pk__in=items).order_by("pk")
            list(rows.select_for_update(no_key=True).values_list("pk"))
        found = {obj.pk: obj for obj in self.get_queryset().filter(pk__in=items)}
        for child in self._list_child_models():
            found |= {obj.pk: obj for obj in child._base_manager.filter(pk__in=found)}
        documents = []
        for pk, obj in found.items():
            prefix = self.get_prefix(str(pk))
            content = self._content(obj) if self._content else None
            metadata = dict(self._metadata(obj)) if self._metadata else None
            documents += make_documents(obj, space, prefix=prefix, content=content, metadata=metadata)
        return documents

    def _list_child_models(self) -> list[Any]:
        """Return the models that say more of some rows, and name no other index; children after parents."""
        mine: Any = self.model._meta.concrete_model
        children = (
            model
            for model in get_indexed_models()
            if model._meta.concrete_model is model and mine in model._meta.get_parent_list()
        )
        named = [child for child in children if child.index_name == self.model.index_name]
        return sorted(named, key=lambda child: len(child._meta.get_parent_list()))


@dataclass(frozen=True)
class Text:
    """A text with the key by which its source knows it. Results show `title` and `url` of the metadata."""

    key: str
    content: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


class CallableSource(IndexSource):
    """Texts that a function yields, always in the same order.

    Only `rebuild_index` notices that they changed. `label` is part of their documents' keys. It must not hold
    a dot or a colon, so that it cannot be a model's.
    """

    def __init__(
        self, label: str, function: Callable[[], Iterable[Text]], *, chunker: Chunker | None = None
    ) -> None:
        if not label or set(label) & set(".:"):
            raise ValueError(f"label is {label!r}; allowed: a name without dots and colons.")
        self.label = label
        self._function = function
        self.chunker = chunker or ParagraphChunker(limit=180, overlap=30)

    def count(self) -> int:
        return sum(1 for _ in self._function())

    def pages(self, after: Any = None) -> Iterator[tuple[Any, list[Any]]]:
        """Yield texts; the position is how many there were."""
        done = after or 0
        for page in batched(islice(self._function(), done, None), BATCH):
            done += len(page)
            yield done, list(page)

    def get_key(self, item: Any) -> str:
        return item.key

    def find(self, keys: Collection[str]) -> list[Any]:
        return [text for text in self._function() if text.key in keys]

    def list_keys(self) -> set[str]:
        return {text.key for text in self._function()}

    def make_documents(self, items: Sequence[Any], space: str, *, lock: bool = False) -> list[Document]:
        chunker = get_chunker(self.chunker, f"the chunker of {self.label!r}", space)
        return [
            document
            for text in items
            for document in cut(self.get_prefix(text.key), text.content, text.metadata, chunker)
        ]


class FileSource(CallableSource):
    """Text files of a storage, by default those of the tenant's media folder; the key is the path.

    `pattern` is matched with the path, `*` also over slashes. Bytes that are not UTF-8 are left out. Markdown
    and HTML are cut at their headings, Markdown without its front matter. The metadata have `path`, and the
    `title` that the document gives itself, or else the file's name.
    """

    def __init__(
        self, label: str, pattern: str, *, storage: Storage | None = None, chunker: Chunker | None = None
    ) -> None:
        super().__init__(label, self._read, chunker=chunker or HeadingChunker())
        self.pattern = pattern
        self.storage = storage or default_storage

    def list_keys(self) -> set[str]:
        return set(self._walk(""))

    def count(self) -> int:
        return len(self.list_keys())

    def find(self, keys: Collection[str]) -> list[Any]:
        return [self._open(path) for path in sorted(self.list_keys() & set(keys))]

    def _read(self) -> Iterator[Text]:
        return map(self._open, sorted(self.list_keys()))

    def _open(self, path: str) -> Text:
        with self.storage.open(path, "rb") as file:
            title, content = extract_for_chunks(path, decode(file.read(), "ignore").replace("\0", ""))
        return Text(path, content, {"path": path, "title": title})

    def _walk(self, folder: str) -> Iterator[str]:
        try:
            folders, files = self.storage.listdir(folder)
        except FileNotFoundError:  # a tenant that has stored nothing yet
            return
        yield from (path for name in files if fnmatch(path := f"{folder}{name}", self.pattern))
        for name in folders:
            yield from self._walk(f"{folder}{name}/")


def get_sources(index_name: str) -> list[IndexSource]:
    """Return what an index is made from: what was registered, and the models that name it themselves."""
    listed = [source for index in get_registered(index_name) for source in index.sources]
    labels = {source.label for source in listed}
    models = get_indexed_models(index_name)
    return [*listed, *(ModelSource(each) for each in models if each._meta.label_lower not in labels)]


def get_sources_of(model: type[Model]) -> list[tuple[str, IndexSource]]:
    """Return every index that holds rows of a model, or of one with the same rows, and its source of them."""
    return [
        (index_name, source)
        for index_name in get_index_names(model)
        for source in get_sources(index_name)
        if source.model and get_row_model(source.model) is get_row_model(model)
    ]


def list_labels() -> set[str]:
    """Return the labels of all sources of all indexes."""
    return _list_text_labels() | {model._meta.label_lower for model in get_indexed_models()}


def parse_key(document_key: str) -> tuple[str, str] | None:
    """Return the label and the key of what a document was made from, None where it was written by hand."""
    if source := Source.from_key(document_key):
        return source.model, source.pk
    found = split_key(document_key)
    return found if found and found[0] in _list_text_labels() else None


def _list_text_labels() -> set[str]:
    sources = (source for index in get_registered() for source in index.sources)
    return {source.label for source in sources if source.model is None}
