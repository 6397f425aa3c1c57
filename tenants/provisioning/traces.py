"""What of a tenant lies in tables that all share: in the task queue, and among the operators' sessions."""

from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core import signing
from django_tasks_db.models import DBTaskResult
from django_tenants.utils import schema_context

from tenants.context import connection
from tenants.queue.backend import SCHEMA_KEY

# Tasks that were written within the tenant, in any state; and those of the operators' site that name its
# schema or, being the registry's own, its key. Of these a running one is left out: it is at work on this.
TASKS = """
    FROM {table} WHERE args_kwargs -> 'kwargs' ->> %(key)s = %(schema)s
    OR args_kwargs -> 'kwargs' ->> %(key)s = 'public' AND status <> 'RUNNING' AND (
        jsonb_path_exists(args_kwargs, '$.**?(@ == $schema)', jsonb_build_object('schema', %(schema)s::text))
        OR starts_with(task_path, 'tenants.tasks.')
            AND args_kwargs -> 'args' = jsonb_build_array(%(pk)s::bigint)
    )
"""


def count_tasks(schema: str, pk: int) -> int:
    """Return how many tasks there are, results included, that carry or name a tenant."""
    return int(_select_tasks("SELECT count(*)", schema, pk)[0])


def delete_tasks(schema: str, pk: int) -> None:
    """Delete them."""
    _select_tasks("DELETE", schema, pk, "RETURNING 1")


def find_sessions(schema: str) -> list[str]:
    """Return the keys of sessions in `public` that bear a signature of this schema."""
    rows = list(Session.objects.values_list("session_key", "session_data"))
    store = SessionStore()
    with schema_context(schema):
        return [key for key, data in rows if _is_signed_here(data, store)]


def _is_signed_here(data: str, store: SessionStore) -> bool:
    try:
        signing.loads(data, salt=store.key_salt, serializer=store.serializer)
    except signing.BadSignature:
        return False
    return True


def _select_tasks(verb: str, schema: str, pk: int, end: str = "") -> list[int]:
    table = connection.ops.quote_name(DBTaskResult._meta.db_table)
    with connection.cursor() as cursor:
        values = {"key": SCHEMA_KEY, "schema": schema, "pk": pk}
        cursor.execute(f"{verb} {TASKS.format(table=table)} {end}", values)
        return [number for (number,) in cursor.fetchall()]
