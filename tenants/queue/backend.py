"""Tasks that carry their tenant.

The queue is one table in `public`. A task that is written while a tenant is bound runs with that tenant
bound; one that is written while none is bound runs with none. A worker is unbound before and after each task.

The same mark says whose a result is: a bound tenant finds its own results only, although its database role
cannot read the queue at all.
"""

from dataclasses import dataclass
from typing import Any

from asgiref.sync import sync_to_async
from django.core.exceptions import ValidationError
from django.tasks.base import Task
from django.tasks.exceptions import TaskResultDoesNotExist
from django_tasks_db.backend import DatabaseBackend, TaskResult
from django_tasks_db.models import DBTaskResult
from django_tenants.utils import get_public_schema_name, get_tenant_model

from tenants.audit import acting_as_task
from tenants.context import connection, unbound
from tenants.queue.guarding import writing_rights
from tenants.queue.known_tasks import remember_task
from tenants.queue.rows import REQUEST_KEY, SCHEMA_KEY, find_rows
from tenants.tracing import get_request_id, tracing_request


class TenantGoneError(RuntimeError):
    """The tenant of a task was deleted before the task ran."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantTask(Task):
    """A task whose function runs with the tenant bound that was bound when it was written."""

    def __post_init__(self) -> None:
        """Let workers know of the task."""
        super(TenantTask, self).__post_init__()
        remember_task(self)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Run the function, a plain one or a coroutine function.

        Raises TenantGoneError when the tenant no longer exists.
        """
        schema = kwargs.pop(SCHEMA_KEY, get_public_schema_name())
        request_id = kwargs.pop(REQUEST_KEY, "")
        connection.set_schema_to_public()
        try:
            if schema != get_public_schema_name():
                tenant = get_tenant_model().objects.filter(schema_name=schema).first()
                if tenant is None:
                    raise TenantGoneError(f"The tenant with the schema {schema!r} no longer exists.")
                connection.set_tenant(tenant)
            with acting_as_task(self.module_path), tracing_request(request_id):
                return super(TenantTask, self).call(*args, **kwargs)
        finally:
            connection.set_schema_to_public()
            connection.end_use()

    async def acall(self, *args: Any, **kwargs: Any) -> Any:
        """As `call`, in a coroutine."""
        return await sync_to_async(self.call)(*args, **kwargs)


class TenantDatabaseBackend(DatabaseBackend):
    """django-tasks-db's backend; a task remembers the bound schema, and only that tenant sees its result."""

    task_class = TenantTask

    def get_result(self, result_id: str) -> TaskResult:
        """Return the result of a task of the bound tenant; with no tenant bound, of any task.

        `Task.get_result` and `TaskResult.refresh` call this. Raises TaskResultDoesNotExist for an unknown id
        and for the id of another tenant's task.
        """
        schema = connection.schema_name
        rows = find_rows(schema=None if schema == get_public_schema_name() else schema)
        with unbound():
            try:
                return rows.get(id=result_id).task_result
            except (DBTaskResult.DoesNotExist, ValidationError) as error:
                raise TaskResultDoesNotExist(result_id) from error

    async def aget_result(self, result_id: str) -> TaskResult:
        """As `get_result`, in a coroutine."""
        return await sync_to_async(self.get_result)(result_id)

    def _task_to_db_task(self, task: Task, args: Any, kwargs: Any) -> DBTaskResult:
        with writing_rights(task):
            return super()._task_to_db_task(task, args, _with_marks(kwargs))

    async def _atask_to_db_task(self, task: Task, args: Any, kwargs: Any) -> DBTaskResult:
        with writing_rights(task):
            return await super()._atask_to_db_task(task, args, _with_marks(kwargs))


def _with_marks(kwargs: dict[str, Any]) -> dict[str, Any]:
    bound = connection.schema_name
    if bound == get_public_schema_name():  # whoever retries a tenant's task from outside passes it on
        bound = kwargs.get(SCHEMA_KEY, bound)
    request_id = get_request_id() or kwargs.get(REQUEST_KEY)
    return {**kwargs, SCHEMA_KEY: bound} | ({REQUEST_KEY: request_id} if request_id else {})
