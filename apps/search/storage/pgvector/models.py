"""Embedding tables."""

import hashlib
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.apps import apps
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models.base import ModelBase
from pgvector.django import VectorField

from apps.search.storage.pgvector.tables.queryset import EmbeddingQuerySet
from tenants.binding.homes import check_home, set_home
from tenants.context import tenant_context

KEY_FIELDS = ["space", "index_name", "document_key"]


class EmbeddingModelBase(ModelBase):
    """Adds to every embedding table what writing and searching need, whatever its own Meta says.

    That is the constraint for upserts and the indexes of its keywords and metadata.
    """

    def __new__(cls, name: str, bases: tuple[type, ...], attrs: dict[str, Any], **kwargs: Any) -> type:
        """Add the constraint and the indexes to a concrete model's Meta."""
        meta = attrs.get("Meta", type("Meta", (), {}))
        if not getattr(meta, "abstract", False):
            # Django allows an index's name 30 characters; those of app and class may need more.
            config = apps.get_containing_app_config(attrs["__module__"])
            label = getattr(meta, "app_label", None) or (config.label if config else attrs["__module__"])
            digest = hashlib.sha256(f"{label}.{name}".lower().encode()).hexdigest()
            stem = f"{name.lower()[:20]}_{digest[:6]}"
            added = {
                "constraints": [
                    *getattr(meta, "constraints", []),
                    models.UniqueConstraint(fields=KEY_FIELDS, name="%(app_label)s_%(class)s_key"),
                ],
                "indexes": [
                    *getattr(meta, "indexes", []),
                    GinIndex(fields=["keywords"], name=f"{stem}_kw"),
                    GinIndex(fields=["metadata"], opclasses=["jsonb_path_ops"], name=f"{stem}_md"),
                ],
            }
            attrs["Meta"] = type("Meta", (meta,), added)
        return super().__new__(cls, name, bases, attrs, **kwargs)


class EmbeddingManager(models.Manager.from_queryset(EmbeddingQuerySet)):  # type: ignore[misc]
    """The manager of embedding tables. It defers `keywords`: large, and of use to PostgreSQL only."""

    def get_queryset(self) -> EmbeddingQuerySet:
        """Return all rows, without `keywords`."""
        return super().get_queryset().defer("keywords")


class BasePgVectorEmbedding(models.Model, metaclass=EmbeddingModelBase):
    """What every embedding table has. A custom table adds its vector field and an ANN index for it:

        class CustomPgVectorEmbedding(BasePgVectorEmbedding):
            vector = VectorField(dimensions=512)

            class Meta:
                indexes = [
                    HnswIndex(name="custom_hnsw", fields=["vector"], opclasses=["vector_cosine_ops"])
                ]

    The distance of its queries follows the operator class of the ANN index. Only the writer sets `keywords`,
    the words of the content for the keyword search, and `keyword_recipe`, how they were made (see recipe.py).
    """

    space = models.CharField(max_length=50, db_collation="C")
    index_name = models.CharField(max_length=100, db_collation="C")
    # The collation makes a search for a prefix (all chunks of one object) a range scan of the constraint's
    # index.
    document_key = models.CharField(max_length=512, db_collation="C")
    content = models.TextField()
    metadata = models.JSONField(default=dict)
    keywords = SearchVectorField(null=True, editable=False)
    keyword_recipe = models.CharField(max_length=50, default="", editable=False, db_collation="C")

    objects = EmbeddingManager()

    _tenant: Any = None

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.index_name}:{self.document_key}"

    def belongs_to(self, schema_name: str | None, tenant: Any) -> None:
        """Remember where the row was read; a `tenant` is bound whenever the row is read or written again."""
        self._tenant = tenant
        set_home(self, schema_name)

    def save_base(self, *args: Any, **kwargs: Any) -> None:
        """As Django's. Raises TenantMismatchError for a row of another tenant than the one bound."""
        with self._bound():
            super().save_base(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """As Django's. Raises TenantMismatchError for a row of another tenant than the one bound."""
        with self._bound():
            return super().delete(*args, **kwargs)

    def refresh_from_db(self, *args: Any, **kwargs: Any) -> None:
        """As Django's, which also reads deferred fields. Raises TenantMismatchError as `save` does."""
        with self._bound():
            super().refresh_from_db(*args, **kwargs)

    def _bound(self) -> AbstractContextManager[None]:
        if self._tenant is not None:
            return tenant_context(self._tenant)
        check_home(self)
        return nullcontext()


class PgVectorEmbedding(BasePgVectorEmbedding):
    """The default table. Its vectors may have any length, so it can hold several spaces."""

    vector = VectorField()


class KeywordIndex(models.Model):
    """What a large index of a table keeps for its searches by words; see keywords/postings.py.

    `generation` is that of its postings, 0 before there are any, and `base` is subtracted from their rows'
    keys. `documents` and `words` are how many they hold. Rows are written with `mark`; those that hold one of
    the tsquery `marks` were written after the postings.
    """

    table_name = models.CharField(max_length=63, db_collation="C")
    space = models.CharField(max_length=50, db_collation="C")
    index_name = models.CharField(max_length=100, db_collation="C")
    generation = models.BigIntegerField(default=0)
    base = models.BigIntegerField(default=0)
    documents = models.BigIntegerField(default=0)
    words = models.BigIntegerField(default=0)
    mark = models.CharField(max_length=50)
    marks = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["table_name", "space", "index_name"], name="pgvector_keywordindex_key"
            )
        ]

    def __str__(self) -> str:
        return f"{self.table_name}:{self.space}:{self.index_name}"


class KeywordPostings(models.Model):
    """The documents of a part of an index that hold a lexeme; `entries` has eight bytes for each.

    Big-endian: 4 bytes key of the row, less the index's base; 2 bytes length in words; 1 byte how often it
    has the lexeme as a whole token; 1 byte not used.
    """

    # PostgreSQL would look the index up for each of many thousand rows.
    index = models.ForeignKey(KeywordIndex, models.CASCADE, db_index=False, db_constraint=False)
    generation = models.BigIntegerField()
    lexeme = models.TextField(db_collation="C")
    part = models.IntegerField()
    entries = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["index", "generation", "lexeme", "part"], name="pgvector_keywordpostings_key"
            )
        ]

    def __str__(self) -> str:
        return f"{self.index}: {self.lexeme}"
