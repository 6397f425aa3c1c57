"""What a tenant's database role may write into the queue: the tenant's own tasks, as anybody writes them.

A policy of the table says so, and PostgreSQL compares each new row with it (PostgreSQL's manual, "Row
Security Policies"). It binds neither the table's owner nor a superuser, so it changes nothing where no tenant
has a role. No policy lets a role read, change or delete a row.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.tasks.base import DEFAULT_TASK_PRIORITY, DEFAULT_TASK_QUEUE_NAME, Task
from django_tasks_db.models import DBTaskResult

from tenants.context import connection as default_connection
from tenants.context import owner_rights

# What `find_rows` and a worker read of a row must be what they can read; numbers are those that Python's
# float can hold, and dates those of Python's datetime. A role's name ends in its schema's.
POLICY = """
    CREATE POLICY tenants_own_tasks ON {table} FOR INSERT WITH CHECK (
        args_kwargs #>> '{{kwargs,_tenant_schema}}' = substr(current_user::text, 12)
        AND jsonb_typeof(args_kwargs -> 'args') = 'array'
        AND pg_column_size(args_kwargs) < 1000000
        AND NOT jsonb_path_exists(args_kwargs, '$.**{{30 to last}}')
        AND NOT jsonb_path_exists(args_kwargs, '$.** ? (@ > 1e308 || @ < -1e308)')
        AND octet_length(task_path) < 500
        AND priority <= 0 AND queue_name = 'default' AND backend_name = 'default'
        AND run_after BETWEEN '2000-01-01 00:00:00+00' AND '9999-01-01 00:00:00+00'
        AND enqueued_at BETWEEN '2000-01-01 00:00:00+00' AND '9999-01-01 00:00:00+00'
        AND status = 'READY' AND worker_ids = '[]' AND started_at IS NULL AND finished_at IS NULL
        AND return_value IS NULL AND exception_class_path = '' AND traceback = ''
    )
"""
STATEMENTS = (
    "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
    "DROP POLICY IF EXISTS tenants_own_tasks ON {table}",
    POLICY,
)
IS_GUARDED = """
    SELECT relrowsecurity AND EXISTS (
        SELECT FROM pg_policy WHERE polrelid = pg_class.oid AND polname = 'tenants_own_tasks'
    )
    FROM pg_class WHERE oid = to_regclass(%s)
"""


def guard_queue(connection: Any = default_connection) -> None:
    """Let the tenants' roles write nothing but what is theirs. Waits for other users of the table."""
    table = _get_table(connection)
    with connection.cursor() as cursor:
        for statement in STATEMENTS:
            cursor.execute(statement.format(table=table))


def is_queue_guarded() -> bool:
    """Return whether the table, if there is one, has the policy and heeds it."""
    with default_connection.cursor() as cursor:
        cursor.execute(IS_GUARDED, [_get_table(default_connection)])
        found = cursor.fetchone()
        return found is None or bool(found[0])


def writing_rights(task: Task) -> AbstractContextManager[None]:
    """Return a context in which the bound tenant's code may write this task.

    No SQL of a tenant's may put a task before those of others. The project's own code may, with the rights of
    the connection.
    """
    is_usual = task.priority <= DEFAULT_TASK_PRIORITY and task.queue_name == DEFAULT_TASK_QUEUE_NAME
    return nullcontext() if is_usual else owner_rights()


def _get_table(connection: Any) -> str:
    return f"public.{connection.ops.quote_name(DBTaskResult._meta.db_table)}"
