"""Which tasks there are. A worker runs no others, and imports nothing because a row of the queue names it.

A task is known if its module was imported: when its app got ready, or because the module is called `tasks.py`
and lies in the folder of an installed app. The latter are imported when a path is not known yet.
"""

import logging
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.tasks import Task
from django.tasks.exceptions import InvalidTask
from django_tasks_db.models import DBTaskResult
from django_tenants.utils import get_public_schema_name

from tenants.queue.rows import SCHEMA_KEY, list_tasks_of_operators

logger = logging.getLogger(__name__)

_known: set[str] = set()
_read_task = DBTaskResult.task.fget  # type: ignore[attr-defined]  # it is a property


class UnusableTaskError(ImportError):
    """No worker can run this row of the queue. django-tasks-db expects an ImportError then."""


def remember_task(task: Task) -> None:
    """Note down that there is such a task."""
    _known.add(task.module_path)


def is_known(path: str) -> bool:
    """Return whether an installed app has a task of this dotted path."""
    return path in _known or path in _import_tasks()


def get_task(row: DBTaskResult) -> Task:
    """Return the task of a row; `DBTaskResult.task` is this function. Raises UnusableTaskError."""
    if not is_known(row.task_path):
        raise UnusableTaskError(
            f"No installed app has a task {row.task_path!r}. A worker knows those in an app's modules "
            "tasks.py and in modules that are imported when the app gets ready."
        )
    try:
        task: Task = _read_task(row)
    except (InvalidTask, ImproperlyConfigured) as error:  # as its queue
        raise UnusableTaskError(f"The row of {row.task_path} cannot be used: {error}") from error
    return task


def find_fault(row: DBTaskResult) -> str:
    """Return why no worker may run a row that was read from the queue, or ""."""
    given: Any = row.args_kwargs
    if not (
        isinstance(given, dict)
        and isinstance(given.get("args"), list)
        and isinstance(given.get("kwargs"), dict)
    ):
        return "Its arguments are not an object with a list `args` and an object `kwargs`."
    schema = given["kwargs"].get(SCHEMA_KEY)
    if not isinstance(schema, str):
        return f"Its keyword arguments have no text {SCHEMA_KEY!r}, which says whose task it is."
    try:
        path = get_task(row).module_path
    except UnusableTaskError as error:
        return str(error)
    if schema != get_public_schema_name() and path in list_tasks_of_operators():
        return f"{path} is for the operators' site, and this row belongs to the tenant {schema!r}."
    return ""


def _import(name: str) -> None:
    try:
        import_module(name)
    except Exception:  # a SyntaxError, say: it must not end the worker of all other tasks
        logger.exception("The tasks in %s are not known: it cannot be imported", name)


@cache
def _import_tasks() -> set[str]:
    for config in apps.get_app_configs():
        if config.name.startswith("django."):
            continue
        folder = Path(config.path)
        for file in sorted([*folder.rglob("tasks.py"), *folder.rglob("tasks/__init__.py")]):
            parts = file.relative_to(folder).with_suffix("").parts
            if "tests" not in parts:
                _import(".".join([config.name, *parts]).removesuffix(".__init__"))
    return _known
