"""The rows of the task queue: all that is known here of how django-tasks-db stores a task.

It keeps a task's arguments as JSON in one column. Our backend adds the schema of the tenant to the keyword
arguments, and the id of the request that writes the task. A row also holds the dotted path of its task, which
may have moved since. An AppConfig says so, and rows with the old path run and are found as if they had been
written today:

    moved_tasks: ClassVar = {"apps.notes.tasks.index": "apps.notes.indexing.tasks.index"}  # old: new

An AppConfig also lists, as `tenant_tasks`, the paths of its tasks whose only argument is a tenant's primary
key: they go when the tenant goes, and no tenant can have them run.
"""

from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.db.models import QuerySet
from django.tasks import Task, TaskResultStatus
from django_tasks_db.models import DBTaskResult

from tenants.context import connection

ARGUMENTS = "args_kwargs"  # the column
SCHEMA_KEY = "_tenant_schema"  # among the keyword arguments
REQUEST_KEY = "_request_id"  # of the request that wrote the task; among them, too
UNDONE = (TaskResultStatus.READY, TaskResultStatus.RUNNING)

# Tasks that were written within the tenant, in any state; and those of the operators' site that name its
# schema, or have its key as their only argument. Of these a running one is left out: it is the deletion.
TRACES = """
    FROM {table} WHERE args_kwargs -> 'kwargs' ->> %(key)s = %(schema)s
    OR args_kwargs -> 'kwargs' ->> %(key)s = 'public' AND status <> 'RUNNING' AND (
        jsonb_path_exists(args_kwargs, '$.**?(@ == $schema)', jsonb_build_object('schema', %(schema)s::text))
        OR task_path = ANY(%(paths)s) AND args_kwargs -> 'args' = jsonb_build_array(%(pk)s::bigint)
    )
"""


def find_rows(
    task: Task | None = None, *, schema: str | None = None, args: list[Any] | None = None
) -> QuerySet[DBTaskResult]:
    """Return the rows, in whatever state, of this task, of this tenant and with these positional arguments.

    What is left out does not matter. Rows that were written under an old path of the task are among them.
    """
    rows = DBTaskResult.objects.order_by()
    if task is not None:
        rows = rows.filter(task_path__in=_with_old_paths([task.module_path]))
    if schema is not None:
        rows = rows.filter(args_kwargs__kwargs__contains={SCHEMA_KEY: schema})
    return rows if args is None else rows.filter(args_kwargs__args=args)


def get_schema(row: DBTaskResult) -> str | None:
    """Return the schema that was bound when the task was written; None if the backend is another one."""
    schema: str | None = row.args_kwargs["kwargs"].get(SCHEMA_KEY)
    return schema


def get_worker(row: DBTaskResult) -> str:
    """Return the id of the worker that began with the task last; "" if none did."""
    last = row.worker_ids[-1:]
    return last[0] if last and isinstance(last[0], str) else ""


def get_arguments(row: DBTaskResult) -> tuple[list[Any], dict[str, Any]]:
    """Return the positional and the keyword arguments that the task was written with."""
    return row.args_kwargs["args"], without_marks(row.args_kwargs["kwargs"])


def without_marks(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments without the tenant's schema and the request's id."""
    return {name: value for name, value in kwargs.items() if name not in (SCHEMA_KEY, REQUEST_KEY)}


def count_traces(schema: str, pk: int) -> int:
    """Return how many tasks, results included, carry or name a tenant."""
    return int(_select_traces("SELECT count(*)", schema, pk)[0])


def delete_traces(schema: str, pk: int) -> None:
    """Delete the tasks, results included, that carry or name a tenant."""
    _select_traces("DELETE", schema, pk, "RETURNING 1")


def list_moved_tasks() -> dict[str, str]:
    """Return the present path of each task that has moved, by its old one."""
    moved = (getattr(config, "moved_tasks", {}) for config in apps.get_app_configs())
    return {old: new for tasks in moved for old, new in tasks.items()}


def tidy_row(instance: DBTaskResult, **kwargs: Any) -> None:
    """Give a row that was just read the present path of its task, and a list of workers. For post_init."""
    if path := instance.__dict__.get("task_path"):  # which may be deferred
        instance.task_path = list_moved_tasks().get(path, path)
    if not isinstance(instance.__dict__.get("worker_ids", []), list):
        instance.worker_ids = []


def list_tasks_of_operators() -> list[str]:
    """Return the present paths of the tasks whose only argument is a tenant's primary key."""
    listed = (getattr(config, "tenant_tasks", ()) for config in apps.get_app_configs())
    return [path for tasks in listed for path in tasks]


def _select_traces(verb: str, schema: str, pk: int, end: str = "") -> list[int]:
    paths = _with_old_paths(list_tasks_of_operators())
    table = connection.ops.quote_name(DBTaskResult._meta.db_table)
    with connection.cursor() as cursor:
        values = {"key": SCHEMA_KEY, "schema": schema, "pk": pk, "paths": paths}
        cursor.execute(f"{verb} {TRACES.format(table=table)} {end}", values)
        return [number for (number,) in cursor.fetchall()]


def _with_old_paths(paths: Iterable[str]) -> list[str]:
    present = set(paths)
    return [*present, *(old for old, new in list_moved_tasks().items() if new in present)]
