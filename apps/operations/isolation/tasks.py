"""The task that is planted, and attacks on its result."""

import json
from uuid import uuid4

from django.contrib.auth import get_user_model
from django.tasks import TaskResult, task
from django.tasks.exceptions import TaskResultDoesNotExist
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from apps.operations.isolation.party import Party, plant_user
from tenants.context import connection
from tenants.postgresql.role_names import are_roles_used
from tenants.queue.rows import SCHEMA_KEY

WRITE = """
    INSERT INTO public.{table} (id, status, enqueued_at, args_kwargs, priority, task_path, worker_ids,
        queue_name, backend_name, run_after, exception_class_path, traceback)
    VALUES (%s, 'READY', %s, %s, 0, %s, '[]', 'default', 'default', %s, '', '')
"""


@task
def look_for_user(email: str) -> bool:
    """Return whether the tenant that the task carries has a user with this address."""
    return get_user_model()._default_manager.filter(email=email).exists()


def plant_task(party: Party) -> str:
    """Write a task that names the planted user; return its id. No worker sees it: it is rolled back."""
    return str(look_for_user.enqueue(party.of(plant_user).email).id)


def read_task_result(victim: Party, attacker: Party) -> bool | None:
    """The result of the victim's task, by its id; None for operators, who see all."""
    task_id = victim.of(plant_task)
    if attacker.tenant is None:
        return None
    try:
        return bool(look_for_user.get_result(task_id))
    except TaskResultDoesNotExist:
        return False


def refresh_carried_result(victim: Party, attacker: Party) -> bool | None:
    """A result that was loaded in the victim, read again; None for operators."""
    carried = victim.of(_get_result)
    if attacker.tenant is None:
        return None
    try:
        carried.refresh()
    except TaskResultDoesNotExist:
        return False
    return True


def write_task_for_victim(victim: Party, attacker: Party) -> bool | None:
    """Raw SQL that writes a task, to run in the victim; only a role stops it."""
    if not are_roles_used() or attacker.tenant is None:
        return None
    arguments = {"args": [victim.email], "kwargs": {SCHEMA_KEY: victim.schema_name}}
    now, table = timezone.now(), connection.ops.quote_name(DBTaskResult._meta.db_table)
    with connection.cursor() as cursor:
        values = [uuid4(), now, json.dumps(arguments), look_for_user.module_path, now]
        cursor.execute(WRITE.format(table=table), values)
    return True


def _get_result(party: Party) -> TaskResult:
    return look_for_user.get_result(party.of(plant_task))


ATTACKS = [read_task_result, refresh_carried_result, write_task_for_victim]
