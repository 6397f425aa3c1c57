"""What `manage.py doctor` finds of the work that a tenant's search has left undone."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from django.db.models import Count
from django_tasks_db.models import DBTaskResult

from apps.search.models import IndexRun, SetAside
from apps.search.tasks import continue_run, resume_run
from tenants.context import tenant_context
from tenants.doctor.finding import Finding, Level


def check_work(tenant: Any) -> Iterator[Finding]:
    """Yield, for the bound tenant, objects that are set aside and runs that no task goes on with."""
    yield from _check_set_aside(tenant.schema_name)
    yield from _check_runs(tenant)


def _check_set_aside(schema: str) -> Iterator[Finding]:
    kinds = SetAside.objects.order_by("space").values_list("space").annotate(count=Count("pk"))
    for space, count in kinds:
        message = f"space {space!r}: {count} objects could not be embedded and are set aside."
        fix = f"manage.py switch_space status --schema={schema} says why; save them, or rebuild_index."
        yield Finding(Level.WARNING, schema, message, fix)


def _check_runs(tenant: Any) -> Iterator[Finding]:
    schema = tenant.schema_name
    for run in IndexRun.objects.filter(state=IndexRun.State.RUNNING):
        if not _has_task(run, schema):
            message = f"the run {run.pk} through the index {run.index_name!r} stands still: its task is gone."
            fix = f"manage.py doctor --fix --schema={schema}"
            yield Finding(Level.WARNING, schema, message, fix, partial(_resume, tenant, run))


def _has_task(run: IndexRun, schema: str) -> bool:
    tasks = DBTaskResult.objects.filter(
        task_path=continue_run.module_path, status__in=["READY", "RUNNING"], args_kwargs__args=[run.pk]
    )
    return any(schema in task.args_kwargs["kwargs"].values() for task in tasks)


def _resume(tenant: Any, run: IndexRun) -> str:
    with tenant_context(tenant):
        resume_run(run)
    return "a worker will go on with it, the task is written"
