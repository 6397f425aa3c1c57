"""Embedding tables."""

from typing import Any

from django.db import models
from django.db.models.base import ModelBase
from pgvector.django import VectorField

from apps.search.storage.pgvector.queryset import EmbeddingQuerySet, bound_to
from tenants.context import connection

KEY_FIELDS = ["space", "index_name", "document_key"]


class EmbeddingModelBase(ModelBase):
    """Gives every embedding table the constraint that an upsert needs, whatever its own Meta says."""

    def __new__(cls, name: str, bases: tuple[type, ...], attrs: dict[str, Any], **kwargs: Any) -> type:
        """Add the constraint to a concrete model's Meta."""
        meta = attrs.get("Meta", type("Meta", (), {}))
        if not getattr(meta, "abstract", False):
            key = models.UniqueConstraint(fields=KEY_FIELDS, name="%(app_label)s_%(class)s_key")
            constraints = [*getattr(meta, "constraints", []), key]
            attrs["Meta"] = type("Meta", (meta,), {"constraints": constraints})
        return super().__new__(cls, name, bases, attrs, **kwargs)


class BasePgVectorEmbedding(models.Model, metaclass=EmbeddingModelBase):
    """What every embedding table has. A custom table adds its vector field and an index for it:

        class CustomPgVectorEmbedding(BasePgVectorEmbedding):
            vector = VectorField(dimensions=512)

            class Meta:
                indexes = [
                    HnswIndex(name="custom_hnsw", fields=["vector"], opclasses=["vector_cosine_ops"])
                ]

    The distance of its queries follows the operator class of the index.
    """

    space = models.CharField(max_length=50, db_collation="C")
    index_name = models.CharField(max_length=100, db_collation="C")
    # The collation makes a search for a prefix (all chunks of one object) a range scan of the constraint's
    # index.
    document_key = models.CharField(max_length=512, db_collation="C")
    content = models.TextField()
    metadata = models.JSONField(default=dict)

    objects = EmbeddingQuerySet.as_manager()

    _schema_name: str | None = None
    _tenant: Any = None

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.index_name}:{self.document_key}"

    def belongs_to(self, schema_name: str | None, tenant: Any) -> None:
        """Remember where the row was read; `tenant` is bound by itself when the row is read again."""
        self._schema_name, self._tenant = schema_name, tenant

    def save_base(self, *args: Any, **kwargs: Any) -> None:
        """As Django's. Raises TenantMismatchError for a row of another tenant than the one bound."""
        with bound_to(self._schema_name, self._tenant):
            super().save_base(*args, **kwargs)
            self._schema_name = connection.schema_name

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """As Django's. Raises TenantMismatchError for a row of another tenant than the one bound."""
        with bound_to(self._schema_name, self._tenant):
            return super().delete(*args, **kwargs)

    def refresh_from_db(self, *args: Any, **kwargs: Any) -> None:
        """As Django's, which also reads deferred fields. Raises TenantMismatchError as `save` does."""
        with bound_to(self._schema_name, self._tenant):
            super().refresh_from_db(*args, **kwargs)


class PgVectorEmbedding(BasePgVectorEmbedding):
    """The default table. Its vectors may have any length, so it can hold several spaces."""

    vector = VectorField()
