"""The mixin that makes a model searchable."""

from typing import Any, ClassVar

from django.db import models

from apps.search.chunking import Chunker, ParagraphChunker


class Indexed(models.Model):
    """A model whose objects are chunked, embedded and searched.

        class Note(Indexed, models.Model):
            index_name = "notes"
            index_fields = ("title", "text")

    Saving or deleting an object writes a task in the same transaction; a worker does the rest. Objects
    written past `save()` (bulk_create, update) are caught up with `enqueue_indexing` of indexing.tasks
    or `manage.py rebuild_index`.
    """

    index_name: ClassVar[str] = ""
    index_fields: ClassVar[tuple[str, ...]] = ()
    chunker: ClassVar[Chunker] = ParagraphChunker(limit=180, overlap=30)

    class Meta:
        abstract = True

    def get_index_content(self) -> str:
        """Return the text to search: the index_fields, blank ones left out, as paragraphs."""
        values = (str(getattr(self, name) or "").strip() for name in self.index_fields)
        return "\n\n".join(value for value in values if value)

    def get_index_metadata(self) -> dict[str, Any]:
        """Return the JSON object stored with each chunk."""
        return {}

    def get_index_key(self) -> str:
        """Return the object's key in the world outside, such as an import's; empty when it has none."""
        return ""

    @classmethod
    def find_by_index_key(cls, key: str) -> "Indexed | None":
        """Return the object whose `get_index_key` that is, None when there is none or they have no keys."""
        return None
