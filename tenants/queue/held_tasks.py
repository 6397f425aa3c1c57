"""Tasks of a suspended or leaving tenant wait until it is served again, or go when it goes.

So nothing is lost when the tenant is resumed or kept, and no task writes meanwhile. A task that has begun
goes on to its end.
"""

from datetime import UTC, datetime

from django.db import transaction
from django.tasks import TaskResultStatus
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from tenants.models import Tenant
from tenants.queue.rows import find_rows, get_schema

HOLDING = (Tenant.State.SUSPENDED, Tenant.State.LEAVING)
HELD = datetime(9998, 1, 1, tzinfo=UTC)  # run_after of a task that waits; 9999 means "at once" there


def hold(task: DBTaskResult) -> bool:
    """Put a task back that a worker has just claimed, if its tenant is not served; return whether it did."""
    tenant = Tenant.objects.filter(schema_name=get_schema(task), state__in=HOLDING)
    if not tenant.exists():
        return False
    with transaction.atomic():
        if not tenant.select_for_update().exists():  # served again since: who released the tasks saw none
            return False
        task.status, task.started_at, task.run_after = TaskResultStatus.READY, None, HELD
        task.worker_ids = task.worker_ids[:-1]
        task.save(update_fields=["status", "started_at", "run_after", "worker_ids"])
    return True


def release_tasks(schema: str) -> int:
    """Make the tasks due that wait for their tenant; return how many there were.

    Call it in the transaction that changed the tenant's row: a worker that puts a task back waits for it.
    """
    waiting = find_rows(schema=schema).filter(status=TaskResultStatus.READY, run_after=HELD)
    return waiting.update(run_after=timezone.now())
