"""Reads and writes one index in one space."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from itertools import batched
from typing import TYPE_CHECKING, Any

import numpy as np
from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model, Q, QuerySet

from apps.search.documents import Document
from apps.search.embedders import BaseEmbedder, get_embedder, has_entry
from apps.search.embedders.base import Vectors
from apps.search.filters import compile_filter
from apps.search.storage.pgvector.async_methods import AsyncMethods
from apps.search.storage.pgvector.coroutines import in_thread
from apps.search.storage.pgvector.objects.centre import find_centre
from apps.search.storage.pgvector.objects.source_ranking import (
    Query,
    SourceHit,
    load_hits,
    make_ranked_queryset,
    rank,
)
from apps.search.storage.pgvector.searching.nearest import NearestQuerySet
from apps.search.storage.pgvector.searching.query_vectors import embed_query
from apps.search.storage.pgvector.searching.spec import SearchSpec
from apps.search.storage.pgvector.tables.ann_index import find_dimensions
from apps.search.storage.pgvector.tables.distance import get_metric, get_vector_type
from apps.search.storage.pgvector.tables.queryset import DEFERRED
from apps.search.storage.pgvector.tables.vectors import VectorCheck
from apps.search.storage.pgvector.writing.embedding import BATCH, Embedding
from apps.search.storage.pgvector.writing.writer import POLICIES, Writer
from tenants.context import get_current_schema, get_current_tenant, tenant_context

if TYPE_CHECKING:
    from apps.search.storage.pgvector.models import BasePgVectorEmbedding
    from tenants.models import Tenant

REQUIRED_FIELDS = ("index_name", "document_key", "content", "metadata", "vector", "space")


class PgVectorProvider(AsyncMethods):
    """One index of documents in one space, in the bound tenant's schema.

    `PgVectorProvider()` uses the default model, the index "default" and the bound tenant's space;
    `PgVectorProvider(model=Custom)` a custom model. What is left out is looked up at each use, so one
    provider can serve every tenant; a provider with a `tenant` always serves that one, whichever is bound.
    `source_models` are the models whose objects the documents were made from.

    Each method has a coroutine, named with an `a` in front: `aadd`, `asearch`. Rows are read with
    `async for row in provider.nearest(vector)[:10]`.

    Raises TypeError for a model that is not a class, ValueError for one that lacks a required field, and
    NoTenantError from every method that needs the database while no tenant is bound.
    """

    def __init__(
        self,
        model: "type[BasePgVectorEmbedding] | None" = None,
        *,
        index_name: str = "default",
        space: str | None = None,
        embedder: BaseEmbedder | None = None,
        tenant: "Tenant | None" = None,
        source_models: Sequence[type[Model]] = (),
    ) -> None:
        if model is not None:
            _check_fields(model)
        self._model = model
        self._space = space
        self._embedder = embedder
        self._tenant = tenant
        self.index_name = index_name
        self.source_models = source_models

    def __repr__(self) -> str:
        model = self._model._meta.label if self._model else "default model"
        return f"<PgVectorProvider {model} index={self.index_name!r} space={self._space!r}>"

    @property
    def model(self) -> Any:
        """The embedding table."""
        return self._model or apps.get_model("pgvector", "PgVectorEmbedding")

    @property
    def space(self) -> str:
        """The alias of the space: the one given, otherwise the bound tenant's."""
        return self._space or (self._tenant or get_current_tenant()).space

    @property
    def embedder(self) -> BaseEmbedder:
        """The one given, otherwise the space's. Raises ImproperlyConfigured when there is no such space."""
        with self.switched():
            return self._embedder or get_embedder(self.space)

    @property
    def objects(self) -> QuerySet:
        """All documents of this index, as a queryset of the model that defers its large fields."""
        with self._bound():
            rows = self.model.objects.filter(space=self.space, index_name=self.index_name)
        return (rows.of_tenant(self._tenant) if self._tenant else rows).defer(*DEFERRED)

    def add(
        self,
        documents: Iterable[Document],
        *,
        on_conflict: str = "update",
        keywords_at_once: bool = False,
    ) -> int:
        """Write documents and return how many rows changed.

        Takes any iterable and holds one batch of it in memory. Embeds a Document; stores an EmbeddedDocument
        as it is. `on_conflict` decides about a key that is stored already or comes twice: "update" lets the
        last document win and does not write rows that would not change; "skip" keeps the first and neither
        embeds nor checks the others; "error" raises DuplicateDocumentError.

        A worker makes the keywords of more than PGVECTOR["BULK_ROWS"] documents afterwards, unless
        `keywords_at_once` is set or an ANN index takes the rows (see pending.py); searches find them anyway.

        All or nothing: where a document raises InvalidDocumentError or DuplicateDocumentError, nothing is
        written. Raises ValueError for another policy and TypeError for a single document.
        """
        documents = self._select(documents, on_conflict)
        with self._bound():
            embedded = Embedding(documents, lambda: self.embedder)
            return self._writer().add(embedded, on_conflict, keywords_at_once=keywords_at_once)

    def delete(
        self, document_keys: Iterable[str] | None = None, *, where: Mapping[str, Any] | None = None
    ) -> int:
        """Delete the documents of these keys, or those that a filter fits; return how many there were.

        `where` is a filter of the grammar in `apps.search.filters`. Raises InvalidFilterError for one that
        the grammar does not allow, TypeError unless exactly one of both is given, and ValueError for an
        empty filter: `clear` deletes everything.
        """
        if (document_keys is None) == (where is None):
            raise TypeError("Give delete() either document_keys or where; clear() deletes everything.")
        if where is not None and not where:
            raise ValueError("where is empty and would fit everything; that is what clear() deletes.")
        condition = compile_filter(where)
        with self._bound():
            if document_keys is not None:
                return self._writer().delete(document_keys)
            return self._writer().delete_matching(self.objects.filter(condition))

    def prune_to(self, document_keys_to_keep: Iterable[str]) -> int:
        """Delete all documents but those of these keys and return how many were deleted."""
        with self._bound():
            return self._writer().prune_to(document_keys_to_keep)

    def clear(self) -> int:
        """Delete all documents of this index in this space and return how many there were."""
        return self.prune_to(())

    def nearest(self, vector: Sequence[float] | np.ndarray) -> NearestQuerySet:
        """Return the documents nearest to a vector of shape (dimensions,), nearest first.

        A lazy queryset with `distance` and `score` (larger is nearer); slice it, filter it, paginate it.
        Raises InvalidVectorError for a vector of a wrong length or with numbers that are not finite.
        """
        with self._bound():
            query = self._vector_check()(vector, "The query vector")
            # A copy: the caller may use the array for something else before rows are read.
            spec = SearchSpec.of(self.model, self.space, self.index_name, query.copy())
            return NearestQuerySet.of(spec, self._tenant)

    def search(self, text: str) -> NearestQuerySet:
        """Return the documents nearest to a text, nearest first; see `nearest`.

        Raises InvalidTextError (of apps.search.embedders) for a blank text or one that holds NUL bytes or
        lone surrogates, and EmbeddingError when the embedder fails.
        """
        return self.nearest(self.embed_query(text))

    def embed_query(self, text: str) -> Vectors:
        """Return the vector of a text to search for, shape (dimensions,), read-only.

        Raises as `search`.
        """
        with self._bound():
            return embed_query(self.embedder, text)

    def nearest_to(self, document_keys: Iterable[str] | str) -> NearestQuerySet:
        """Return the documents nearest to stored ones, which are left out; nothing is embedded.

        `document_keys` are their keys or, as one str, what their keys begin with, such as those of an object.
        Searches for the mean of their vectors, each of length 1 where the distance is cosine. One query now
        and one when the rows are read; no rows when none of the documents is stored.
        """
        is_prefix = isinstance(document_keys, str)
        given = document_keys if is_prefix else list(document_keys)
        own = Q(document_key__startswith=given) if is_prefix else Q(document_key__in=given)
        with self._bound():
            vector = find_centre(self.objects.filter(own), get_metric(self.model))
            if vector is None:
                return NearestQuerySet(self.model).none()
            return self.nearest(vector).exclude(own)

    # Where the space is the tenant's own or unknown, a query tells `nearest` the dimensions.
    adelete, aprune_to, aclear = in_thread(delete), in_thread(prune_to), in_thread(clear)
    anearest, anearest_to = in_thread(nearest), in_thread(nearest_to)

    def search_sources(
        self,
        query: Query,
        *,
        limit: int = 10,
        where: Mapping[str, Any] | None = None,
        min_score: float | None = None,
    ) -> list[SourceHit]:
        """Return the source objects of the documents nearest to a text or a vector, the best first.

        Also takes a search that is not sliced, such as `nearest_to` returns. Each object comes once, with its
        best document. One query ranks, and one more for each model reads the objects; those that its default
        manager does not know are left out. `where` is a filter on the documents. Raises ValueError for a
        provider without `source_models`, and as `search` or `nearest`.
        """
        if not self.source_models:
            raise ValueError(f"{self!r} has no source_models; get_provider() makes one that has.")
        with self._bound():
            objects = [model._default_manager.all() for model in self.source_models]
            return load_hits(rank(self._find(query, where), objects, limit, min_score), objects)

    def rank_sources(
        self,
        query: Query,
        sources: type[Model] | QuerySet,
        *,
        limit: int = 100,
        where: Mapping[str, Any] | None = None,
        min_score: float | None = None,
    ) -> QuerySet:
        """Return the `limit` best objects of one model, or of a queryset of it, as a queryset of that model.

        They are ordered by their best document and annotated with its `score`, `distance` and key,
        `snippet_key`. Ranks at once; the queryset is lazy, and of this tenant. Raises as `search_sources`.
        """
        with self._bound():
            objects = sources.all() if isinstance(sources, QuerySet) else sources._default_manager.all()
            ranked = rank(self._find(query, where), [objects], limit, min_score)
            return make_ranked_queryset(objects, ranked, self._tenant)

    def switched(self) -> AbstractContextManager[Any]:
        """Return a context manager that binds the tenant the provider was given, if it was given one."""
        return tenant_context(self._tenant) if self._tenant else nullcontext()

    @contextmanager
    def _bound(self) -> Iterator[None]:
        with self.switched():
            get_current_schema()  # raises NoTenantError
            yield

    def _find(self, query: Any, where: Mapping[str, Any] | None) -> NearestQuerySet:
        condition = compile_filter(where)  # before anything is embedded
        if not isinstance(query, QuerySet):
            query = self.search(query) if isinstance(query, str) else self.nearest(query)
        return query.filter(condition) if condition else query

    def _select(self, documents: Iterable[Document], on_conflict: str) -> Iterable[Document]:
        """Check the arguments of `add`; return the documents that have to be embedded."""
        if isinstance(documents, Document):
            raise TypeError("documents must be an iterable of Document, not one: put it into a list.")
        if on_conflict not in POLICIES:
            raise ValueError(f"on_conflict is {on_conflict!r}; allowed: {', '.join(POLICIES)}.")
        return self._without_stored(documents) if on_conflict == "skip" else documents

    def _without_stored(self, documents: Iterable[Document]) -> Iterator[Document]:
        for batch in batched(documents, BATCH):
            with self._bound():
                stored = self._writer().find_stored([document.document_key for document in batch])
            yield from (document for document in batch if document.document_key not in stored)

    def _writer(self) -> Writer:
        return Writer(self.model, self.space, self.index_name, self._vector_check())

    def _vector_check(self) -> VectorCheck:
        """The check for as many dimensions as the column fixes, else the embedder makes, else are stored."""
        dimensions = self.model._meta.get_field("vector").dimensions
        if dimensions is None and (self._embedder or has_entry(self.space)):
            dimensions = self.embedder.dimensions
        needs_direction = get_metric(self.model).needs_direction
        check = VectorCheck(dimensions, get_vector_type(self.model), allow_zero=not needs_direction)
        if dimensions is None:
            find_stored = partial(find_dimensions, self.model, self.space, self.index_name)
            check.dimensions, check.renew = find_stored(), partial(find_stored, anew=True)
        return check


def _check_fields(model: type[Any]) -> None:
    if not isinstance(model, type):
        raise TypeError(
            f"model must be a subclass of BasePgVectorEmbedding, not {model!r}: import the class."
        )
    for name in REQUIRED_FIELDS:
        try:
            model._meta.get_field(name)
        except FieldDoesNotExist as error:
            raise ValueError(
                f"{model._meta.label} must include {name!r} field; subclass BasePgVectorEmbedding."
            ) from error
