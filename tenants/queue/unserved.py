"""Tasks of a tenant that is not served wait until it is served again, or go with it.

Nothing is lost when a suspended tenant is resumed or a leaving one is kept, and nothing writes meanwhile. A
task that has begun goes on to its end.
"""

from datetime import UTC, datetime

from django.db import transaction
from django.tasks import TaskResultStatus
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from tenants.models import Tenant
from tenants.queue.rows import find_rows, get_schema

HOLDING = (Tenant.State.SUSPENDED, Tenant.State.LEAVING)
HELD = datetime(
    9998, 1, 1, tzinfo=UTC
)  # run_after of a task that waits; the library takes 9999 for "at once"


def hold(task: DBTaskResult) -> bool:
    """Put a task that a worker has just claimed back if its tenant is not served; return whether it was."""
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
    """Make the tasks that wait for their tenant due; return how many there were.

    For the transaction that has changed the tenant's row, which whoever puts a task back waits for.
    """
    waiting = find_rows(schema=schema).filter(status=TaskResultStatus.READY, run_after=HELD)
    return waiting.update(run_after=timezone.now())
