"""An indexed model and a custom embedding table, as an app of a tenant's has them."""

from django.db import models
from django.urls import reverse
from pgvector.django import HnswIndex, VectorField

from apps.search.indexed import Indexed
from apps.search.storage.pgvector.models import BasePgVectorEmbedding


class Note(Indexed):
    """A text with a title; saving it has it indexed."""

    index_name = "notes"
    index_fields = ("title", "body")

    key = models.CharField(
        max_length=200,
        unique=True,
        null=True,
        blank=True,
    )
    title = models.CharField(max_length=300)
    body = models.TextField()
    source = models.CharField(max_length=500, blank=True)
    upload = models.FileField(upload_to="notes/%Y/", blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-updated_at", "-pk"]

    def __str__(self):
        return self.title

    def get_absolute_url(self):
        """Return the note's page on the tenant's site."""
        return reverse("note", args=[self.pk])

    def get_index_metadata(self):
        """Return title and source, to filter by."""
        return {"title": self.title, "source": self.source}

    def get_index_key(self):
        """Return the import's key."""
        return self.key or ""

    @classmethod
    def find_by_index_key(cls, key):
        """Return the note that was imported under that key."""
        return cls.objects.filter(key=key).first()


class NoteEmbedding(BasePgVectorEmbedding):
    """A table for one embedder: fixed dimensions, so that an index can serve its searches."""

    vector = VectorField(dimensions=384)

    class Meta:
        indexes = [
            HnswIndex(
                name="note_embedding_hnsw",
                fields=["vector"],
                m=16,
                ef_construction=64,
                opclasses=["vector_cosine_ops"],
            )
        ]
