"""Reads and writes one index in one space."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import batched
from typing import TYPE_CHECKING, Any

import numpy as np
from django.apps import apps
from django.conf import settings
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Func, IntegerField, QuerySet

from apps.search.documents import Document, EmbeddedDocument, InvalidDocumentError, embed
from apps.search.embedders import BaseEmbedder, InvalidTextError, get_embedder
from apps.search.storage.pgvector.distance import get_metric, get_vector_type
from apps.search.storage.pgvector.vectors import VectorCheck
from apps.search.storage.pgvector.writer import Writer
from tenants.context import get_current_schema, get_current_tenant, tenant_context

if TYPE_CHECKING:
    from apps.search.storage.pgvector.models import BasePgVectorEmbedding
    from tenants.models import Tenant

REQUIRED_FIELDS = ("index_name", "document_key", "content", "metadata", "vector", "space")
EMBEDDING_BATCH = 256


class PgVectorProvider:
    """One index of documents in one space, in the bound tenant's schema.

    `PgVectorProvider()` uses the default model, the index "default" and the bound tenant's space;
    `PgVectorProvider(model=Custom)` a custom one. What is not given is decided when it is used and not when
    the provider is made, so a provider may be made once and used for every tenant; with `tenant` it serves
    that one, whichever is bound.

    Raises ValueError for a model that lacks a required field, and NoTenantError from every method that
    needs the database while no tenant is bound.
    """

    def __init__(
        self,
        model: "type[BasePgVectorEmbedding] | None" = None,
        *,
        index_name: str = "default",
        space: str | None = None,
        embedder: BaseEmbedder | None = None,
        tenant: "Tenant | None" = None,
    ) -> None:
        if model is not None:
            _check_fields(model)
        self._model = model
        self._space = space
        self._embedder = embedder
        self._tenant = tenant
        self.index_name = index_name

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
        """The embedder: the one given, otherwise the space's.

        Raises ImproperlyConfigured when settings.EMBEDDINGS does not have the space.
        """
        return self._embedder or get_embedder(self.space)

    @property
    def objects(self) -> QuerySet:
        """All documents of this index, as a queryset of the model; the vectors are deferred, being large."""
        with self._bound():
            rows = self.model.objects.filter(space=self.space, index_name=self.index_name)
        return (rows.of_tenant(self._tenant) if self._tenant else rows).defer("vector")

    def add(self, documents: Iterable[Document]) -> int:
        """Insert or update documents and return how many rows changed.

        Takes any iterable and holds one batch of it in memory. A Document is embedded, an EmbeddedDocument
        stored as it is. Of equal keys the last wins. All or nothing: a document that cannot be stored raises
        InvalidDocumentError and nothing is written. Rows that would not change are not written again.
        """
        with self._bound():
            return self._writer().upsert(self._embedded(documents))

    def delete(self, document_keys: Iterable[str]) -> int:
        """Delete the documents of these keys and return how many there were."""
        with self._bound():
            return self._writer().delete(document_keys)

    def prune_to(self, document_keys_to_keep: Iterable[str]) -> int:
        """Delete all documents but those of these keys and return how many were deleted."""
        with self._bound():
            return self._writer().prune_to(document_keys_to_keep)

    def clear(self) -> int:
        """Delete all documents of this index in this space and return how many there were."""
        return self.prune_to(())

    def nearest(self, vector: Sequence[float] | np.ndarray) -> QuerySet:
        """Return the documents nearest to a vector of shape (dimensions,), nearest first.

        A lazy queryset with `distance` and `score` (larger is nearer); slice it, filter it, paginate it.
        Raises InvalidVectorError for a vector of a wrong length or with numbers that are not finite.
        """
        metric = get_metric(self.model)
        query = self._vector_check()(vector, "The query vector")
        rows = self.objects.annotate(distance=metric.distance(query), score=metric.score(query))
        return rows.order_by("distance")

    def search(self, text: str) -> QuerySet:
        """Return the documents nearest to a text, nearest first; see `nearest`.

        Raises InvalidTextError (of apps.search.embedders) for a blank text or one that holds NUL bytes or
        lone surrogates, and EmbeddingError when the embedder fails.
        """
        with self._bound():
            return self.nearest(self.embedder.embed_query(text))

    def _embedded(self, documents: Iterable[Document]) -> Iterator[EmbeddedDocument]:
        for batch in batched(documents, EMBEDDING_BATCH):
            plain = [document for document in batch if not isinstance(document, EmbeddedDocument)]
            vectors: Iterator[Any] = iter(self._vectors_of(plain))
            for document in batch:
                yield document if isinstance(document, EmbeddedDocument) else embed(document, next(vectors))

    def _vectors_of(self, documents: list[Document]) -> Iterable[np.ndarray]:
        if not documents:
            return ()
        try:
            return self.embedder.embed_documents(document.content for document in documents)
        except InvalidTextError as error:
            key = documents[error.position].document_key
            raise InvalidDocumentError(f"Document {key!r}: content {error.reason}.") from error

    @contextmanager
    def _bound(self) -> Iterator[None]:
        with tenant_context(self._tenant) if self._tenant else nullcontext():
            get_current_schema()
            yield

    def _writer(self) -> Writer:
        return Writer(self.model, self.space, self.index_name, self._vector_check())

    def _vector_check(self) -> VectorCheck:
        return VectorCheck(
            dimensions=self._dimensions(),
            vector_type=get_vector_type(self.model),
            allow_zero=not get_metric(self.model).needs_direction,
        )

    def _dimensions(self) -> int | None:
        """What the column fixes, else what the embedder makes, else what the index holds, else None."""
        if fixed := self.model._meta.get_field("vector").dimensions:
            return fixed
        if self._embedder or self.space in settings.EMBEDDINGS:
            return self.embedder.dimensions
        vector_dims = Func("vector", function="vector_dims", output_field=IntegerField())
        return self.objects.values_list(vector_dims, flat=True).first()


def _check_fields(model: type[Any]) -> None:
    for name in REQUIRED_FIELDS:
        try:
            model._meta.get_field(name)
        except FieldDoesNotExist as error:
            raise ValueError(
                f"{model._meta.label} must include {name!r} field; subclass BasePgVectorEmbedding."
            ) from error
