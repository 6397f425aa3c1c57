"""Writes the tasks for what saves and deletes of indexed objects, and bulk writes, leave to do."""

from typing import Any

from django.db.models import Model
from django.db.models.signals import post_delete, post_save

from apps.search.indexed import Indexed
from apps.search.indexes.registry import get_indexed_models
from apps.search.indexing.tasks import enqueue_indexing, make_keywords
from apps.search.storage.pgvector.keywords.pending import keywords_pending


def connect() -> None:
    """Listen to every indexed model, and to the storage."""
    keywords_pending.connect(_enqueue_keywords, dispatch_uid="search:keywords")
    for model in get_indexed_models():
        for signal in (post_save, post_delete):
            signal.connect(_enqueue, sender=model, dispatch_uid=f"search:{model._meta.label}")


def _enqueue(sender: type[Indexed], instance: Indexed, **kwargs: Any) -> None:
    enqueue_indexing(sender, [instance.pk])


def _enqueue_keywords(sender: type[Model], space: str, index_name: str, **kwargs: Any) -> None:
    make_keywords.enqueue(sender._meta.label_lower, space, index_name)
