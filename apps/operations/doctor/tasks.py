"""Checks the task queue: what waits too long, what failed, and what a dead worker left."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Case, Count, F, Min, When
from django.utils import timezone
from django_tasks_db.models import get_date_max

from apps.operations.doctor.finding import Finding, Level, Scope
from tenants.conf import conf
from tenants.locks import Lock, count_held
from tenants.models import ScheduledRun
from tenants.periodic.schedule import list_schedules
from tenants.queue.rows import find_rows
from tenants.queue.worker import find_orphans, recover_orphans

PATIENCE = timedelta(minutes=5)  # for a ready task to be begun
OVERDUE = timedelta(hours=1)  # of a periodic task that nobody begins
FAILURES = timedelta(days=1)
WORKER = "manage.py db_worker"
SHOWN = 5  # kinds of failed tasks that are named


def check(scope: Scope) -> Iterable[Finding]:
    """Yield tasks that wait, failed or are orphaned. It never says why they failed, which may quote a row."""
    tasks = find_rows()
    if not scope.is_whole:
        tasks = reduce(or_, (find_rows(schema=schema) for schema in scope.schemas), tasks.none())
    yield from _check_waiting(tasks)
    yield from _check_failed(tasks)
    yield from _check_orphans(tasks)
    if scope.is_whole and conf.SCHEDULES:
        yield from _check_schedules()


def _check_waiting(tasks: Any) -> Iterator[Finding]:
    due = Case(When(run_after=get_date_max(), then=F("enqueued_at")), default=F("run_after"))
    late = tasks.ready().annotate(due=due).filter(due__lt=timezone.now() - PATIENCE)
    count, oldest = late.aggregate(count=Count("pk"), oldest=Min("due")).values()
    if count:
        message = (
            f"{count} ready for more than 5 minutes, since {oldest:%Y-%m-%d %H:%M} UTC; "
            f"workers at work: {count_held(Lock.WORKER)}."
        )
        yield Finding(Level.WARNING, "tasks", message, WORKER)


def _check_failed(tasks: Any) -> Iterator[Finding]:
    failed = tasks.failed().filter(finished_at__gte=timezone.now() - FAILURES)
    kinds = list(failed.values_list("task_path").annotate(count=Count("pk")).order_by("-count", "task_path"))
    if kinds:
        named = ", ".join(f"{path} ({count})" for path, count in kinds[:SHOWN])
        message = f"{sum(count for _, count in kinds)} failed in the last day: {named}"
        fix = "Operators' admin: Task Results, status Failed; the traceback says why."
        yield Finding(Level.WARNING, "tasks", message, fix)


def _check_orphans(tasks: Any) -> Iterator[Finding]:
    if count := len(find_orphans(tasks)):
        message = f"{count} run for ever: their workers are dead."
        yield Finding(Level.WARNING, "tasks", message, f"{WORKER}, which recovers them", recover_orphans)


def _check_schedules() -> Iterator[Finding]:
    late = ScheduledRun.objects.filter(name__in=list_schedules(), due_at__lt=timezone.now() - OVERDUE)
    for run in late:
        message = f"{run.name} was due at {run.due_at:%Y-%m-%d %H:%M} UTC, and no worker has begun it."
        yield Finding(Level.WARNING, "periodic tasks", message, WORKER)
