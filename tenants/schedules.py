"""What of the task queue goes by itself."""

from datetime import timedelta

from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from tenants.conf import conf
from tenants.periodic.schedule import Schedule, Where


def prune_task_results() -> None:
    """Delete the results of tasks that ended more than TASK_RESULT_DAYS ago."""
    before = timezone.now() - timedelta(days=conf.TASK_RESULT_DAYS)
    DBTaskResult.objects.finished().filter(finished_at__lt=before).delete()


SCHEDULES = [Schedule(prune_task_results, every=timedelta(days=1), where=Where.PUBLIC)]
