"""Tasks that fail with a passing error of the database are run again later.

A full disk, a restart, a failover, a terminated session or a deadlock is no fault of the task's, and no death
of its worker. The row keeps count of both: where a worker went on, RETRIED stands in place of its id.
"""

import logging
from datetime import timedelta

import psycopg
from django.db import InterfaceError, OperationalError, connection
from django.tasks import TaskResultStatus
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from tenants.queue.not_here import NotHereError
from tenants.queue.rows import get_worker

logger = logging.getLogger(__name__)

# COPY raises psycopg's own errors, which Django does not turn into its own.
PASSING_ERRORS = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)

ELSEWHERE = 15  # seconds until a task is tried again that this worker does not know enough for
FIRST_DELAY, MAX_DELAY = 15, 3_600  # seconds until a task is run again
MAX_RETRIES = 24  # the last of them after more than half a day
RETRIED = "retried"


def retry_later(row: DBTaskResult, error: BaseException) -> bool:
    """Make a running task ready again if the error is a passing one; return whether it was.

    Raises the error if the session was lost with it, once the task is ready: the caller's locks are lost.
    """
    if isinstance(error, NotHereError):
        message = "Task %s (%s) waits for a worker with other settings; restart this one if they changed: %s"
        logger.warning(message, row.id, row.task_path, error)
        row.worker_ids, row.run_after = row.worker_ids[:-1], timezone.now() + timedelta(seconds=ELSEWHERE)
        row.status, row.started_at = TaskResultStatus.READY, None
        row.save(update_fields=["worker_ids", "run_after", "status", "started_at"])
        return True
    retries = row.worker_ids.count(RETRIED)
    if not isinstance(error, PASSING_ERRORS) or retries >= MAX_RETRIES:
        return False
    is_lost = drop_lost_session()
    row.worker_ids = [*row.worker_ids[:-1], RETRIED]
    row.run_after = timezone.now() + timedelta(seconds=min(MAX_DELAY, FIRST_DELAY * 2**retries))
    row.status, row.started_at = TaskResultStatus.READY, None
    row.save(update_fields=["worker_ids", "run_after", "status", "started_at"])
    if is_lost:
        raise error
    return True


def drop_lost_session() -> bool:
    """Have the next query open another session if the present one is lost, and return whether it is."""
    session = connection.connection
    if session is None or connection.in_atomic_block:
        return False
    is_lost = session.closed or (connection.errors_occurred and not connection.is_usable())
    if is_lost:
        connection.close()
    return bool(is_lost)


def give_back(worker_id: str, error: BaseException) -> None:
    """Retry the task that a worker was running when it lost the database with this error."""
    for row in DBTaskResult.objects.running():
        if get_worker(row) == worker_id:
            retry_later(row, error)


def count_deaths(row: DBTaskResult) -> int:
    """Return how many workers began with a task and did not live to its end."""
    return len(row.worker_ids) - row.worker_ids.count(RETRIED)
