"""Objects into documents into vectors: what changed is embedded, the rest is left as it is."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Q

from apps.search.documents import Document, EmbeddedDocument, embed
from apps.search.embedding_cache import embed_documents
from apps.search.factory import get_provider
from apps.search.indexed import Indexed
from apps.search.indexes import get_indexed_models
from apps.search.sources import Source, make_documents
from apps.search.storage.pgvector.provider import PgVectorProvider
from apps.search.storage.pgvector.recipe import refresh_keywords
from apps.search.written import get_written_spaces, hold_spaces

BATCH = 32  # objects
ATTEMPTS = 5


class ObjectsChangedError(RuntimeError):
    """Objects changed again and again while they were embedded."""


def index_objects(
    model: type[Indexed], pks: Sequence[Any], *, space: str | None = None, only_if_written: bool = False
) -> int:
    """Bring the documents of these objects up to date and return how many rows changed.

    Objects that no longer exist lose their documents; chunks that an object no longer has are deleted.
    Texts that did not change are not embedded again. No transaction is open while the embedder works.
    Running it twice, or at the same time as another, is harmless. `space` overrides the tenant's;
    with `only_if_written` nothing is written to a space that the tenant has given up meanwhile.
    """
    provider = get_provider(model.index_name, space=space)
    objects = model._default_manager.filter(pk__in=pks).order_by("pk")
    prefixes = [Source(model._meta.label_lower, str(pk)).prefix for pk in pks]
    for _ in range(ATTEMPTS):
        documents = _make_all(objects, provider.space)
        embedded = _embed_changed(provider, documents)
        kept = _keys(documents)
        with transaction.atomic():
            if only_if_written and not _is_written(provider.space):
                return 0
            # Embedding takes long. Whoever saved or deleted an object meanwhile may have indexed it, too, and
            # must not be overwritten with what was read before; the locks keep others out until the commit.
            locked = objects.select_for_update(of=("self",), no_key=True)
            if _make_all(locked, provider.space) == documents:
                removed = _of_prefixes(provider, prefixes).exclude(document_key__in=kept).delete()[0]
                return provider.add(embedded) + removed
    raise ObjectsChangedError(
        f"{model._meta.label} {list(pks)}: the texts or the metadata of these objects changed each of "
        f"{ATTEMPTS} times while they were embedded. Does get_index_content or get_index_metadata return the "
        "same at each call?"
    )


def rebuild_index(
    index_name: str, *, space: str | None = None, progress: Callable[[int], object] = lambda count: None
) -> int:
    """Bring a whole index up to date and return how many rows changed.

    Goes through the objects in batches, in the order of their keys, and calls `progress` with the number of
    objects of each; stopped and started again it skips what is up to date. Last, it deletes the documents
    whose object is gone, and refreshes the keywords of those that were made in another language.
    """
    changed = 0
    for model in get_indexed_models(index_name):
        for pks in get_pages(model):
            changed += index_objects(model, pks, space=space)
            progress(len(pks))
    changed += delete_orphans(index_name, space)
    return changed + refresh_keywords(get_provider(index_name, space=space).objects)


def count_objects(index_name: str) -> int:
    """Return how many objects an index is made of."""
    return sum(model._default_manager.count() for model in get_indexed_models(index_name))


def get_pages(model: type[Indexed], *, after: Any = None) -> Iterator[list[Any]]:
    """Yield the primary keys in pages of BATCH, in their order, those up to `after` left out.

    Each page is found after the last one, so that inserts do not shift them.
    """
    objects = model._default_manager.order_by("pk").values_list("pk", flat=True)
    page = list(objects[:BATCH] if after is None else objects.filter(pk__gt=after)[:BATCH])
    while page:
        yield page
        page = list(objects.filter(pk__gt=page[-1])[:BATCH])


def delete_changed(model: type[Indexed], pks: Sequence[Any], *, space: str) -> int:
    """Delete those documents of these objects that no longer say what the object says; return how many."""
    provider = get_provider(model.index_name, space=space)
    documents = _make_all(model._default_manager.filter(pk__in=pks), provider.space)
    prefixes = [Source(model._meta.label_lower, str(pk)).prefix for pk in pks]
    rows = _of_prefixes(provider, prefixes)
    said = {document.document_key: document.content for document in documents}
    stored = rows.values_list("document_key", "content")
    return provider.delete([key for key, content in stored if said.get(key) != content])


def delete_orphans(index_name: str, space: str | None = None) -> int:
    """Delete the documents whose object is gone and return how many there were."""
    provider = get_provider(index_name, space=space)
    # Keys first: an object that is saved and indexed in between must be alive when its key is judged.
    keys = list(provider.objects.values_list("document_key", flat=True))
    alive = {
        model._meta.label_lower: {str(pk) for pk in model._default_manager.values_list("pk", flat=True)}
        for model in get_indexed_models(index_name)
    }
    return provider.delete([key for key in keys if _is_orphan(key, alive)])


def _is_written(space: str) -> bool:
    hold_spaces()
    return space in get_written_spaces()


def _make_all(objects: Any, space: str) -> list[Document]:
    return [document for obj in objects.all() for document in make_documents(obj, space)]


def _embed_changed(provider: PgVectorProvider, documents: list[Document]) -> list[EmbeddedDocument]:
    """Return the documents that are not stored as they are, each with its vector."""
    stored = _stored(provider, documents)
    changed = [document for document in documents if stored.get(document.document_key) != _value(document)]
    same = [document for document in changed if _has_same_content(document, stored)]
    vectors = _stored_vectors(provider, same)
    new = [document for document in changed if document.document_key not in vectors]
    made = embed_documents(provider.space, provider.embedder, [document.content for document in new])
    vectors |= zip(_keys(new), made, strict=True)
    return [embed(document, vectors[document.document_key]) for document in changed]


def _stored(provider: PgVectorProvider, documents: list[Document]) -> dict[str, tuple[str, Any]]:
    rows = provider.objects.filter(document_key__in=_keys(documents))
    return {key: (content, metadata) for key, content, metadata in _values(rows)}


def _stored_vectors(provider: PgVectorProvider, documents: list[Document]) -> dict[str, Any]:
    contents = {document.document_key: document.content for document in documents}
    rows = provider.objects.filter(document_key__in=contents)
    stored = rows.values_list("document_key", "content", "vector")
    return {key: vector for key, content, vector in stored if content == contents[key]}


def _values(rows: Any) -> Any:
    return rows.values_list("document_key", "content", "metadata")


def _value(document: Document) -> tuple[str, Any]:
    return document.content, dict(document.metadata)


def _has_same_content(document: Document, stored: dict[str, tuple[str, Any]]) -> bool:
    return stored.get(document.document_key, (None,))[0] == document.content


def _keys(documents: list[Document]) -> list[str]:
    return [document.document_key for document in documents]


def _of_prefixes(provider: PgVectorProvider, prefixes: Sequence[str]) -> Any:
    condition = Q(pk__in=[])
    for prefix in prefixes:
        condition |= Q(document_key__startswith=prefix)
    return provider.objects.filter(condition)


def _is_orphan(key: str, alive: dict[str, set[str]]) -> bool:
    source = Source.from_key(key)
    return source is not None and source.pk not in alive.get(source.model, set())
