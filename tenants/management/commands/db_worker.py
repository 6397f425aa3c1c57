"""manage.py db_worker"""

from typing import Any

from django_tasks_db.management.commands import db_worker

from tenants.postgresql.pool import without_pool
from tenants.queue.worker import RecoveringWorker


class Command(db_worker.Command):
    """django-tasks-db's command, with a worker that recovers the tasks of killed ones."""

    def handle(self, **options: Any) -> None:
        """Run the worker, with connections of its own: it keeps each for its whole life."""
        db_worker.Worker = RecoveringWorker  # type: ignore[misc]  # the command has no hook for its class
        with without_pool():
            super().handle(**options)
