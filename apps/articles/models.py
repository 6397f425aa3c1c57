"""An indexed model and a custom embedding table."""

from pathlib import PurePath
from typing import Any

from django.db import models
from django.urls import reverse
from pgvector.django import HnswIndex, VectorField

from apps.articles.rendering import LONGEST, render_markdown
from apps.search.chunking import TokenChunker
from apps.search.chunking.files import MARKDOWN
from apps.search.indexed import Indexed
from apps.search.storage.pgvector.models import BasePgVectorEmbedding


class Article(Indexed):
    """A text with a title. Saving it writes the task that indexes it."""

    index_name = "articles"
    index_fields = ("title", "body")
    chunker = TokenChunker()  # a model reads tokens, and files may be in any language

    key = models.CharField(
        max_length=200,
        unique=True,
        null=True,
        blank=True,
        help_text="Its name where it comes from; importing the same key again updates it.",
    )
    title = models.CharField(max_length=300)
    body = models.TextField()
    source = models.CharField(max_length=500, blank=True, help_text="Where it comes from: a file, a page.")
    upload = models.FileField(upload_to="articles/%Y/", blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-updated_at", "-pk"]

    def __str__(self) -> str:
        return self.title

    @property
    def html(self) -> str:
        """The body as HTML, if it came from a Markdown file that is not too long; otherwise empty."""
        is_markdown = PurePath(self.source).suffix.lower() in MARKDOWN
        return render_markdown(self.body, self.title) if is_markdown and len(self.body) <= LONGEST else ""

    def get_absolute_url(self) -> str:
        """Return the article's page on the tenant's site."""
        return reverse("articles:article", args=[self.pk])

    def get_index_metadata(self) -> dict[str, Any]:
        """Return title and source, to filter by."""
        return {"title": self.title, "source": self.source}

    def get_index_key(self) -> str:
        """Return the import's key."""
        return self.key or ""

    @classmethod
    def find_by_index_key(cls, key: str) -> "Article | None":
        """Return the article that was imported under that key."""
        return cls.objects.filter(key=key).first()


class ArticleEmbedding(BasePgVectorEmbedding):
    """A table for one embedder. Its vectors have fixed dimensions, which an ANN index needs."""

    vector = VectorField(dimensions=384)

    class Meta:
        indexes = [
            HnswIndex(
                name="article_embedding_hnsw",
                fields=["vector"],
                m=16,
                ef_construction=64,
                opclasses=["vector_cosine_ops"],
            )
        ]
