"""What the apps add to a bundle, and the tasks that travel with it.

An app adds a module `bundle.py` with any of these:

    def describe() -> Any: ...                        # JSON for the manifest; must only read
    def find_faults(described) -> Iterable[str]: ...  # why that tenant does not fit this installation
    def after_load(*, is_copy) -> str: ...            # in the transaction of the rows; a line to print, or ""

    TASKS = [index_by_keys]        # tasks that come along while they wait; any arguments must be harmless
    EXCLUDE = ["search_cacheuse"]  # tables whose rows stay behind

The tenant is bound while the functions run, except for `find_faults`, whose argument may come from anybody.
The manifest holds a description under the app's label. Older bundles have the module's dotted path there.
"""

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from django.tasks import Task

from apps.operations.bundles.manifest import Manifest, WaitingTask
from tenants.context import unbound
from tenants.discovery import ExtensionPoint
from tenants.queue.rows import UNDONE, find_rows, get_arguments, list_moved_tasks, without_marks

FUNCTIONS = {"describe", "find_faults", "after_load"}
LISTS: dict[str, type] = {"TASKS": Task, "EXCLUDE": str}


def find_form_fault(module: ModuleType) -> str:
    """Return what is wrong with an app's `bundle.py`, or ""."""
    given = vars(module)
    for name in FUNCTIONS & given.keys():
        if not callable(given[name]):
            return f"must have a function {name}"
    for name in LISTS.keys() & given.keys():
        kind, values = LISTS[name], given[name]
        if not isinstance(values, list | tuple) or not all(isinstance(value, kind) for value in values):
            return f"must set {name} to a list of {kind.__name__}"
    names = [*sorted(FUNCTIONS), *LISTS]
    return "" if given.keys() & set(names) else f"must have one of: {', '.join(names)}"


POINT = ExtensionPoint("bundle", find_form_fault)


def describe_parts() -> dict[str, Any]:
    """Return what the apps say of the bound tenant, by app label."""
    return {label: describe() for label, describe in _list_functions("describe")}


def find_part_faults(manifest: Manifest) -> Iterator[str]:
    """Yield why the parts or the tasks of a bundle do not fit here."""
    labels = {module.__name__: config.label for config, module in POINT.load()}
    parts = {labels.get(name, name): part for name, part in manifest.parts.items()}
    known = dict(_list_functions("describe"))
    for label in sorted(parts.keys() - known.keys()):
        yield f"part {label}: no app here has it."
    for label in sorted(known.keys() - parts.keys()):
        yield f"part {label}: it is missing."
    for label, find_faults in _list_functions("find_faults"):
        if label in parts:
            yield from find_faults(parts[label])
    for path in sorted({task.path for task in manifest.tasks} - set(_list_tasks())):
        yield f"task {path}: no app here lets it travel (TASKS of its bundle.py)."


def finish_parts(*, is_copy: bool) -> list[str]:
    """Let the apps do what is left to do in the bound tenant; return what they have to say."""
    lines = [after_load(is_copy=is_copy) for _, after_load in _list_functions("after_load")]
    return [line for line in lines if line]


def list_left_out() -> list[str]:
    """Return the names of the tables whose rows stay behind, sorted."""
    return sorted({name for _, module in POINT.load() for name in getattr(module, "EXCLUDE", ())})


def list_waiting(schema: str) -> list[WaitingTask]:
    """Return the tenant's tasks that may travel and are not done, the oldest first."""
    known = _list_tasks()
    with unbound():
        rows = list(find_rows(schema=schema).filter(status__in=UNDONE).order_by("enqueued_at"))
    waiting = [(known[row.task_path], *get_arguments(row)) for row in rows if row.task_path in known]
    return [WaitingTask(path=task.module_path, args=args, kwargs=kwargs) for task, args, kwargs in waiting]


def enqueue_waiting(tasks: list[WaitingTask]) -> None:
    """Write the tasks for the bound tenant, and for no other, whatever they say."""
    known = _list_tasks()
    for task in tasks:
        called = known[task.path]
        called.get_backend().enqueue(called, task.args, without_marks(task.kwargs))


def _list_functions(name: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    for config, module in POINT.load():
        if function := getattr(module, name, None):
            yield config.label, function


def _list_tasks() -> dict[str, Task]:
    """Return the tasks that may travel, by their dotted paths, former ones included."""
    tasks = {task.module_path: task for _, module in POINT.load() for task in getattr(module, "TASKS", ())}
    moved = {old: tasks[new] for old, new in list_moved_tasks().items() if new in tasks}
    return moved | tasks
