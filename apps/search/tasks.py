"""What a worker does for search. Tasks carry keys only, re-read their rows and may run twice."""

from collections.abc import Iterable
from datetime import timedelta
from itertools import batched
from typing import Any

from django.apps import apps
from django.core.cache import cache
from django.tasks import task
from django.utils import timezone

from apps.search.indexed import Indexed
from apps.search.indexing import BATCH, index_objects
from apps.search.storage.pgvector.index_report import (
    IndexActionError,
    carry_out,
    needs_report,
    report_indexes,
)

MAINTENANCE_DELAY = 60  # seconds from the first write of a burst to the look at the vector indexes
MAINTENANCE_KEY = "search:vector-indexes"  # in the cache, which keeps each tenant's keys apart


@task
def index_by_keys(model_label: str, pks: list[Any]) -> int:
    """Bring the documents of these objects up to date; return how many rows changed."""
    model = apps.get_model(model_label)
    changed = index_objects(model, [model._meta.pk.to_python(pk) for pk in pks])
    enqueue_maintenance()
    return changed


@task
def maintain_vector_indexes() -> int:
    """Build, rebuild and drop the tenant's vector indexes where that pays; return how many changed.

    Raises IndexActionError, once all others are dealt with, when some could not be changed.
    """
    outcomes = [fault for _, fault in carry_out(report_indexes())]
    if faults := [fault for fault in outcomes if fault]:
        raise IndexActionError("\n".join(faults))
    return len(outcomes)


def enqueue_maintenance() -> None:
    """Write the task that looks after the bound tenant's vector indexes, a minute from now.

    At most one a minute, and none while the tenant has too few documents for any index. The task runs after
    the last write that found it waiting, so no write goes unseen.
    """
    if cache.get(MAINTENANCE_KEY) or not needs_report():
        return
    if cache.add(MAINTENANCE_KEY, True, MAINTENANCE_DELAY):
        run_after = timezone.now() + timedelta(seconds=MAINTENANCE_DELAY)
        maintain_vector_indexes.using(run_after=run_after).enqueue()


def enqueue_indexing(model: type[Indexed], pks: Iterable[Any]) -> None:
    """Write the tasks that index these objects, in the current transaction, for the bound tenant."""
    for batch in batched(pks, BATCH):
        index_by_keys.enqueue(model._meta.label_lower, [_as_json(pk) for pk in batch])


def _as_json(pk: Any) -> Any:
    return pk if isinstance(pk, int) else str(pk)
