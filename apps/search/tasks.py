"""What a worker does for search. Tasks carry keys only, re-read their rows and may run twice."""

from collections.abc import Iterable
from itertools import batched
from typing import Any

from django.apps import apps
from django.tasks import task

from apps.search.indexed import Indexed
from apps.search.indexing import BATCH, index_objects


@task
def index_by_keys(model_label: str, pks: list[Any]) -> int:
    """Bring the documents of these objects up to date; return how many rows changed."""
    model = apps.get_model(model_label)
    return index_objects(model, [model._meta.pk.to_python(pk) for pk in pks])


def enqueue_indexing(model: type[Indexed], pks: Iterable[Any]) -> None:
    """Write the tasks that index these objects, in the current transaction, for the bound tenant."""
    for batch in batched(pks, BATCH):
        index_by_keys.enqueue(model._meta.label_lower, [_as_json(pk) for pk in batch])


def _as_json(pk: Any) -> Any:
    return pk if isinstance(pk, int) else str(pk)
