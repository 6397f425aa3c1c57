"""Embedding tables, one for each kind of index. The label is explicit: the app is not always installed."""

from django.db import models
from pgvector.django import HalfVectorField, HnswIndex, IvfflatIndex, VectorField

from apps.search.indexed import Indexed
from apps.search.storage.pgvector.models import BasePgVectorEmbedding

DIMENSIONS = 8


class Slip(Indexed):
    """An indexed model whose primary key is a text."""

    index_name = "slips"
    index_fields = ("slug",)

    slug = models.CharField(max_length=50, primary_key=True)

    class Meta:
        app_label = "tests_tables"

    def __str__(self):
        return self.slug


class HalfCosineEmbedding(BasePgVectorEmbedding):
    """Half the size, cosine."""

    vector = HalfVectorField(dimensions=DIMENSIONS)

    class Meta:
        app_label = "tests_tables"
        indexes = [HnswIndex(name="half_cosine", fields=["vector"], opclasses=["halfvec_cosine_ops"])]


class LinkedEmbedding(BasePgVectorEmbedding):
    """Has a relation, so that a filter may need a join."""

    vector = VectorField(dimensions=DIMENSIONS)
    parent = models.ForeignKey("self", on_delete=models.CASCADE, null=True)

    class Meta:
        app_label = "tests_tables"
        indexes = [HnswIndex(name="linked", fields=["vector"], opclasses=["vector_cosine_ops"])]


class L2Embedding(BasePgVectorEmbedding):
    """Euclidean distance."""

    vector = VectorField(dimensions=DIMENSIONS)

    class Meta:
        app_label = "tests_tables"
        indexes = [HnswIndex(name="plain_l2", fields=["vector"], opclasses=["vector_l2_ops"])]


class ProductEmbedding(BasePgVectorEmbedding):
    """Inner product."""

    vector = VectorField(dimensions=DIMENSIONS)

    class Meta:
        app_label = "tests_tables"
        indexes = [HnswIndex(name="plain_ip", fields=["vector"], opclasses=["vector_ip_ops"])]


class L1Embedding(BasePgVectorEmbedding):
    """Taxicab distance."""

    vector = VectorField(dimensions=DIMENSIONS)

    class Meta:
        app_label = "tests_tables"
        indexes = [HnswIndex(name="plain_l1", fields=["vector"], opclasses=["vector_l1_ops"])]


class HalfProductEmbedding(BasePgVectorEmbedding):
    """Inner product of halves."""

    vector = HalfVectorField(dimensions=DIMENSIONS)

    class Meta:
        app_label = "tests_tables"
        indexes = [HnswIndex(name="half_ip", fields=["vector"], opclasses=["halfvec_ip_ops"])]


class IvfflatEmbedding(BasePgVectorEmbedding):
    """The other kind of index."""

    vector = VectorField(dimensions=DIMENSIONS)

    class Meta:
        app_label = "tests_tables"
        indexes = [IvfflatIndex(name="lists", fields=["vector"], lists=1, opclasses=["vector_cosine_ops"])]


class TwoDistancesEmbedding(BasePgVectorEmbedding):
    """Wrong: no query uses both."""

    vector = VectorField(dimensions=DIMENSIONS)

    class Meta:
        app_label = "tests_tables"
        indexes = [
            HnswIndex(name="two_cosine", fields=["vector"], opclasses=["vector_cosine_ops"]),
            HnswIndex(name="two_l2", fields=["vector"], opclasses=["vector_l2_ops"]),
        ]


class WrongClassEmbedding(BasePgVectorEmbedding):
    """Wrong: the operator class is one of another type."""

    vector = VectorField(dimensions=DIMENSIONS)

    class Meta:
        app_label = "tests_tables"
        indexes = [HnswIndex(name="wrong_class", fields=["vector"], opclasses=["halfvec_cosine_ops"])]


class ClasslessEmbedding(BasePgVectorEmbedding):
    """Wrong: HNSW has no default operator class, so PostgreSQL cannot make this index."""

    vector = VectorField(dimensions=DIMENSIONS)

    class Meta:
        app_label = "tests_tables"
        indexes = [HnswIndex(name="classless", fields=["vector"])]


class ClasslessIvfflatEmbedding(BasePgVectorEmbedding):
    """Right: the default operator class of this kind of index is that of the Euclidean distance."""

    vector = VectorField(dimensions=DIMENSIONS)

    class Meta:
        app_label = "tests_tables"
        indexes = [IvfflatIndex(name="classless_lists", fields=["vector"], lists=1)]


class UnfixedEmbedding(BasePgVectorEmbedding):
    """Wrong: an index needs fixed dimensions."""

    vector = VectorField()

    class Meta:
        app_label = "tests_tables"
        indexes = [HnswIndex(name="unfixed", fields=["vector"], opclasses=["vector_cosine_ops"])]


class TooWideEmbedding(BasePgVectorEmbedding):
    """Wrong: more dimensions than an index of this type can have."""

    vector = VectorField(dimensions=2001)

    class Meta:
        app_label = "tests_tables"
        indexes = [HnswIndex(name="too_wide", fields=["vector"], opclasses=["vector_cosine_ops"])]


class TextVectorEmbedding(BasePgVectorEmbedding):
    """Wrong: the vector is no vector field."""

    vector = models.TextField()

    class Meta:
        app_label = "tests_tables"


class VectorlessEmbedding(BasePgVectorEmbedding):
    """Wrong: there is no vector field."""

    class Meta:
        app_label = "tests_tables"
