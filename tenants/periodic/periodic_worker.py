"""A worker that also begins the periodic tasks that are due."""

import logging
import time

from django_tasks_db.models import DBTaskResult

from tenants.periodic.dispatching import write_due_tasks
from tenants.queue.retries import PASSING_ERRORS
from tenants.queue.worker import RecoveringWorker

logger = logging.getLogger(__name__)

INTERVAL = 15  # seconds between two looks at what is due


class PeriodicWorker(RecoveringWorker):
    """What `manage.py db_worker` runs."""

    _next_look = 0.0  # by the monotonic clock

    def claim(self) -> DBTaskResult | None:
        """Take the task whose turn it is; before that, from time to time, write those that are due."""
        if (now := time.monotonic()) >= self._next_look:
            self._next_look = now + INTERVAL
            try:
                write_due_tasks()
            except PASSING_ERRORS:
                raise
            except Exception as error:  # such as a table that is not migrated yet: other tasks go on
                logger.error("No periodic task was begun: %s", error)
        return super().claim()
