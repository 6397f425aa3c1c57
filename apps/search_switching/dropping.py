"""Documents of a space that the tenant has given up."""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.tasks import task
from django.utils import timezone

from apps.search.indexing.tasks import enqueue_maintenance
from apps.search.models import SetAside
from apps.search.spaces.live_spaces import is_written
from apps.search.storage.pgvector.ann.status import list_tables
from tenants.queue.turns import BULK

BATCH = 1_000  # documents
DELAY = 60  # seconds; another process may remember for some of them which space the tenant searched


@task(priority=BULK)
def drop_documents(space: str) -> int:
    """Delete a space's documents and return how many; stop when the tenant has taken the space up again."""
    deleted = sum(_drop(model, space) for model in list_tables())
    with transaction.atomic():
        if not is_written(space):
            SetAside.objects.filter(space=space).delete()
    enqueue_maintenance()
    return deleted


def enqueue_dropping(space: str) -> None:
    """Write the task, in the current transaction, to run once no process reads the documents any more."""
    run_after = timezone.now() + timedelta(seconds=DELAY)
    drop_documents.using(run_after=run_after).enqueue(space)


def _drop(model: Any, space: str) -> int:
    deleted = 0
    while True:
        with transaction.atomic():
            if is_written(space):
                return deleted
            rows = model.objects.filter(space=space).order_by("pk")
            count = model.objects.filter(pk__in=list(rows.values_list("pk", flat=True)[:BATCH])).delete()[0]
        deleted += count
        if not count:
            return deleted
