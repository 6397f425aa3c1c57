"""A save or a delete of an indexed object writes a task."""

from typing import Any

from django.db.models.signals import post_delete, post_save

from apps.search.indexed import Indexed
from apps.search.indexes import get_indexed_models
from apps.search.tasks import enqueue_indexing


def connect() -> None:
    """Listen to every indexed model."""
    for model in get_indexed_models():
        for signal in (post_save, post_delete):
            signal.connect(_enqueue, sender=model, dispatch_uid=f"search:{model._meta.label}")


def _enqueue(sender: type[Indexed], instance: Indexed, **kwargs: Any) -> None:
    enqueue_indexing(sender, [instance.pk])
