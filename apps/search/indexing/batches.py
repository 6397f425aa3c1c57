"""Objects into documents into vectors: what changed is embedded, the rest is left as it is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db import transaction
from django.db.models import Model, Q, QuerySet

from apps.search.documents import Document, EmbeddedDocument, embed
from apps.search.indexes.sources import IndexSource, get_sources, get_sources_of, parse_key
from apps.search.models import SetAside
from apps.search.providers import get_provider
from apps.search.spaces.embedding_cache import embed_documents
from apps.search.spaces.live_spaces import is_written
from apps.search.storage.pgvector.keywords.recipe import refresh_keywords
from apps.search.storage.pgvector.provider import PgVectorProvider
from tenants.locks import retry_deadlocks

ATTEMPTS = 5


class ObjectsChangedError(RuntimeError):
    """Objects changed again and again while they were embedded."""


@dataclass(frozen=True)
class Batch:
    """Some items of one source of an index."""

    index_name: str
    source: IndexSource
    items: Sequence[Any]

    @property
    def keys(self) -> list[str]:
        """The items' keys."""
        return [self.source.get_key(item) for item in self.items]

    def halve(self) -> "list[Batch]":
        """Return two batches with half of the items each."""
        middle = len(self.items) // 2
        return [replace(self, items=self.items[:middle]), replace(self, items=self.items[middle:])]

    def make_documents(self, space: str, *, lock: bool = False) -> list[Document]:
        """Return the items' current documents; `lock` keeps others from changing the items meanwhile."""
        return self.source.make_documents(self.items, space, lock=lock)

    def find_stored(self, provider: PgVectorProvider) -> QuerySet:
        """Return the stored rows that were made from these items, even if the items have changed since."""
        condition = Q(pk__in=[])
        for key in self.keys:
            condition |= Q(document_key__startswith=self.source.get_prefix(key))
        return provider.objects.filter(condition)


def index_objects(model: type[Model], pks: Sequence[Any], *, space: str | None = None) -> int:
    """Bring the documents of these objects up to date in all indexes of their model; see `index_batch`."""
    batches = make_batches(model, pks)
    return sum(index_batch(batch, space=space) for batch in batches)


def make_batches(model: type[Model], pks: Sequence[Any]) -> list[Batch]:
    """Return a batch for each index that holds these objects, as this model or one with the same rows."""
    return [Batch(index_name, source, pks) for index_name, source in get_sources_of(model)]


@retry_deadlocks
def index_batch(batch: Batch, *, space: str | None = None, only_if_written: bool = False) -> int:
    """Bring the documents of these items up to date and return how many rows changed.

    Objects that no longer exist lose their documents; chunks that an object no longer has are deleted.
    Texts that did not change are not embedded again. No transaction is open while the embedder works.
    Running it twice, or at the same time as another, is harmless. `space` overrides the tenant's; with
    `only_if_written` nothing is written to a space that the tenant has given up meanwhile.
    """
    provider = get_provider(batch.index_name, space=space)
    for _ in range(ATTEMPTS):
        documents = batch.make_documents(provider.space)
        embedded = _embed_changed(provider, documents)
        kept = _keys(documents)
        with transaction.atomic():
            if only_if_written and not is_written(provider.space):
                return 0
            # Embedding takes long. An object that was saved or deleted meanwhile may have been indexed, too,
            # and this older reading must not replace it. The locks keep others out until the commit.
            if batch.make_documents(provider.space, lock=True) == documents:
                stale = batch.find_stored(provider).exclude(document_key__in=kept)
                keys = list(stale.values_list("document_key", flat=True))
                removed = provider.delete(keys) if keys else 0  # which locks them in the order of add()
                return provider.add(embedded, keywords_at_once=True) + removed
    raise ObjectsChangedError(
        f"{batch.source.label} {batch.keys}: the texts or the metadata of these objects changed each of "
        f"{ATTEMPTS} times while they were embedded. Does get_index_content or get_index_metadata return the "
        "same at each call?"
    )


def rebuild_index(
    index_name: str, *, space: str | None = None, progress: Callable[[int], object] = lambda count: None
) -> int:
    """Bring a whole index up to date and return how many rows changed.

    Works in batches, in the order of the keys, and calls `progress` with the number of items of each. Stopped
    and started again, it skips what is up to date. Last, it deletes the documents whose object is gone, and
    makes the keywords anew that were made in another language.
    """
    changed = 0
    asides = SetAside.objects.filter(space=get_provider(index_name, space=space).space)
    for source in get_sources(index_name):
        for _, items in source.pages():
            batch = Batch(index_name, source, items)
            changed += index_batch(batch, space=space)
            asides.filter(model_label=source.label, object_pk__in=batch.keys).delete()
            progress(len(items))
    changed += delete_orphans(index_name, space)
    return changed + refresh_keywords(get_provider(index_name, space=space).objects)


def count_objects(index_name: str) -> int:
    """Return how many objects and texts an index is made of."""
    return sum(source.count() for source in get_sources(index_name))


def delete_changed(batch: Batch, *, space: str) -> int:
    """Delete the documents of these items whose content is out of date; return how many there were."""
    provider = get_provider(batch.index_name, space=space)
    said = {document.document_key: document.content for document in batch.make_documents(space)}
    stored = batch.find_stored(provider).values_list("document_key", "content")
    return provider.delete([key for key, content in stored if said.get(key) != content])


def delete_orphans(index_name: str, space: str | None = None) -> int:
    """Delete the documents whose object or text is gone and return how many there were."""
    provider = get_provider(index_name, space=space)
    # Keys first: an object that is saved and indexed in between must be alive when its key is judged.
    keys = list(provider.objects.values_list("document_key", flat=True))
    alive = {source.label: source.list_keys() for source in get_sources(index_name)}
    made_from = {key: found for key in keys if (found := parse_key(key))}
    return provider.delete(
        [key for key, (label, own_key) in made_from.items() if own_key not in alive.get(label, ())]
    )


def _embed_changed(provider: PgVectorProvider, documents: list[Document]) -> list[EmbeddedDocument]:
    """Return the documents that are not stored as they are, each with its vector."""
    rows = provider.objects.filter(document_key__in=_keys(documents))
    stored = {key: value for key, *value in rows.values_list("document_key", "content", "metadata")}
    changed = [
        document
        for document in documents
        if stored.get(document.document_key) != [document.content, dict(document.metadata)]
    ]
    # Where only the metadata changed, the stored vector is still right.
    same = {
        document.document_key: document.content
        for document in changed
        if stored.get(document.document_key, [None])[0] == document.content
    }
    rows = provider.objects.filter(document_key__in=same).values_list("document_key", "content", "vector")
    vectors = {key: vector for key, content, vector in rows if content == same[key]}
    new = [document for document in changed if document.document_key not in vectors]
    made = embed_documents(provider.space, provider.embedder, [document.content for document in new])
    vectors |= zip(_keys(new), made, strict=True)
    return [embed(document, vectors[document.document_key]) for document in changed]


def _keys(documents: list[Document]) -> list[str]:
    return [document.document_key for document in documents]
