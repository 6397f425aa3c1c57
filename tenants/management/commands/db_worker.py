"""manage.py db_worker"""

from typing import Any

from django_tasks_db.management.commands import db_worker

from tenants.periodic.periodic_worker import PeriodicWorker
from tenants.postgresql.pool import without_pool


class Command(db_worker.Command):
    """django-tasks-db's command, whose worker recovers tasks of killed ones and begins periodic ones."""

    def handle(self, **options: Any) -> None:
        """Run the worker, with connections of its own: it keeps each for its whole life."""
        db_worker.Worker = PeriodicWorker  # type: ignore[misc]  # the command has no hook for its class
        with without_pool():
            super().handle(**options)
