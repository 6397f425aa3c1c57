"""Writes the tasks that index again whatever saves, deletes and bulk writes have changed."""

import logging
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.db.models import Model
from django.db.models.signals import post_delete, post_save
from django.tasks import TaskResult, TaskResultStatus
from django.tasks.signals import task_finished
from django.utils import timezone

from apps.search.indexes.registry import get_indexed_models, get_row_model
from apps.search.indexing.tasks import (
    MAINTENANCE_DELAY,
    enqueue_indexing,
    enqueue_waking,
    index_by_keys,
    maintain_vector_indexes,
    make_keywords,
    set_given_up_aside,
)
from apps.search.storage.pgvector.ann.making_way import ann_index_outdated
from apps.search.storage.pgvector.keywords.pending import keywords_pending
from apps.search.storage.pgvector.tables.ann_index import ann_index_wanted

logger = logging.getLogger(__name__)


def connect() -> None:
    """Listen to every model whose rows are indexed, be it as another model's, and to the storage."""
    keywords_pending.connect(_enqueue_keywords, dispatch_uid="search:keywords")
    task_finished.connect(_note_given_up, dispatch_uid="search:given-up")
    ann_index_outdated.connect(_enqueue_care, dispatch_uid="search:ann-index")
    ann_index_wanted.connect(_wake, dispatch_uid="search:resting-index")
    indexed = {get_row_model(model) for model in get_indexed_models()}
    for model in apps.get_models():
        if get_row_model(model) in indexed:
            for signal in (post_save, post_delete):
                signal.connect(_enqueue, sender=model, dispatch_uid=f"search:{model._meta.label}")


def _enqueue(sender: type[Model], instance: Model, **kwargs: Any) -> None:
    enqueue_indexing(sender, [instance.pk])


def _enqueue_keywords(sender: type[Model], space: str, index_name: str, **kwargs: Any) -> None:
    make_keywords.enqueue(sender._meta.label_lower, space, index_name)


def _note_given_up(sender: type, task_result: TaskResult, **kwargs: Any) -> None:
    """Set the objects aside of an indexing task that will not be run again, or they would be forgotten."""
    is_ours = task_result.task.module_path == index_by_keys.module_path
    if is_ours and task_result.status == TaskResultStatus.FAILED:
        try:
            set_given_up_aside(task_result)
        except Exception:  # a worker goes on
            logger.exception("The objects of the task %s could not be set aside", task_result.id)


def _enqueue_care(sender: type[Model], **kwargs: Any) -> None:
    run_after = timezone.now() + timedelta(seconds=MAINTENANCE_DELAY)
    maintain_vector_indexes.using(run_after=run_after).enqueue()


def _wake(sender: type[Model], name: str, **kwargs: Any) -> None:
    enqueue_waking(sender._meta.label_lower, name)
