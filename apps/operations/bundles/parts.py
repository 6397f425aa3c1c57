"""What the apps add to a bundle, and the tasks that wait: settings.TENANT_BUNDLE.

A part is a module, named in TENANT_BUNDLE["PARTS"], with any of these functions, called with the tenant
bound, but for the second:

    describe() -> Any                           # JSON for the manifest; must only read
    find_faults(described) -> Iterable[str]     # why a tenant that was so described does not fit here
    after_load(*, is_copy) -> str               # in the transaction of the rows; a line to print, or ""

What `find_faults` gets may come from anybody.
"""

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from django.conf import settings
from django.tasks import TaskResultStatus
from django.utils.module_loading import import_string
from django_tasks_db.models import DBTaskResult

from apps.operations.bundles.manifest import Manifest, Task
from tenants.context import unbound
from tenants.queue.backend import SCHEMA_KEY

UNDONE = (TaskResultStatus.READY, TaskResultStatus.RUNNING)


def describe_parts() -> dict[str, Any]:
    """Return what the parts say of the bound tenant, each under its module."""
    return {path: describe() for path, describe in _list_functions("describe")}


def find_part_faults(manifest: Manifest) -> Iterator[str]:
    """Yield why the parts or the tasks of a bundle do not fit here."""
    known = dict(_list_functions("describe"))
    for path in sorted(manifest.parts.keys() - known.keys()):
        yield f"part {path}: settings.TENANT_BUNDLE['PARTS'] does not have it."
    for path in sorted(known.keys() - manifest.parts.keys()):
        yield f"part {path}: it is missing."
    for path, find_faults in _list_functions("find_faults"):
        if path in manifest.parts:
            yield from find_faults(manifest.parts[path])
    for path in sorted({task.path for task in manifest.tasks} - set(_list_tasks())):
        yield f"task {path}: settings.TENANT_BUNDLE['TASKS'] does not allow it."


def finish_parts(*, is_copy: bool) -> list[str]:
    """Let the parts do what is left to do in the bound tenant; return what they have to say."""
    lines = [after_load(is_copy=is_copy) for _, after_load in _list_functions("after_load")]
    return [line for line in lines if line]


def list_waiting(schema: str) -> list[Task]:
    """Return the tenant's tasks that are not done, of those in TENANT_BUNDLE["TASKS"], the oldest first."""
    with unbound():
        rows = DBTaskResult.objects.filter(
            status__in=UNDONE,
            task_path__in=_list_tasks(),
            args_kwargs__kwargs__contains={SCHEMA_KEY: schema},
        ).order_by("enqueued_at")
        found = list(rows.values_list("task_path", "args_kwargs"))
    return [
        Task(path=path, args=call["args"], kwargs=_without_tenant(call["kwargs"])) for path, call in found
    ]


def enqueue_waiting(tasks: list[Task]) -> None:
    """Write the tasks for the bound tenant, and for no other, whatever they say."""
    for task in tasks:
        called = import_string(task.path)
        called.get_backend().enqueue(called, task.args, _without_tenant(task.kwargs))


def _without_tenant(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in kwargs.items() if name != SCHEMA_KEY}


def _list_functions(name: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    for path in settings.TENANT_BUNDLE.get("PARTS", ()):
        if function := getattr(import_module(path), name, None):
            yield path, function


def _list_tasks() -> list[str]:
    return list(settings.TENANT_BUNDLE.get("TASKS", ()))
