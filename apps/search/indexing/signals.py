"""Writes the tasks for what saves and deletes of indexed objects, and bulk writes, leave to do."""

from datetime import timedelta
from typing import Any

from django.apps import apps
from django.db.models import Model
from django.db.models.signals import post_delete, post_save
from django.utils import timezone

from apps.search.indexes.registry import get_indexed_models, get_row_model
from apps.search.indexing.tasks import (
    MAINTENANCE_DELAY,
    enqueue_indexing,
    maintain_vector_indexes,
    make_keywords,
)
from apps.search.storage.pgvector.ann.making_way import ann_index_outdated
from apps.search.storage.pgvector.keywords.pending import keywords_pending


def connect() -> None:
    """Listen to every model whose rows are indexed, be it as another model's, and to the storage."""
    keywords_pending.connect(_enqueue_keywords, dispatch_uid="search:keywords")
    ann_index_outdated.connect(_enqueue_care, dispatch_uid="search:ann-index")
    indexed = {get_row_model(model) for model in get_indexed_models()}
    for model in apps.get_models():
        if get_row_model(model) in indexed:
            for signal in (post_save, post_delete):
                signal.connect(_enqueue, sender=model, dispatch_uid=f"search:{model._meta.label}")


def _enqueue(sender: type[Model], instance: Model, **kwargs: Any) -> None:
    enqueue_indexing(sender, [instance.pk])


def _enqueue_keywords(sender: type[Model], space: str, index_name: str, **kwargs: Any) -> None:
    make_keywords.enqueue(sender._meta.label_lower, space, index_name)


def _enqueue_care(sender: type[Model], **kwargs: Any) -> None:
    run_after = timezone.now() + timedelta(seconds=MAINTENANCE_DELAY)
    maintain_vector_indexes.using(run_after=run_after).enqueue()
