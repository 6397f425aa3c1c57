"""Which task a worker takes next: by priority, and among tenants in turn.

Within a priority each tenant has one task done before any has a second one, so that nobody waits for the
10,000 tasks of somebody else. A tenant whose tasks take long leaves one worker free. Each worker goes round
by itself. The statements skip from tenant to tenant in the index of tenants/migrations/0004, so that a long
queue costs no more than a short one.
"""

from collections.abc import Iterator

from django.db import DataError, transaction
from django.db.models import DateTimeField, QuerySet, TextField
from django.db.models.expressions import RawSQL
from django.tasks import TaskResultStatus
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from tenants.context import connection
from tenants.queue.free_worker import FreeWorker
from tenants.queue.known_tasks import UnusableTaskError
from tenants.queue.rows import ARGUMENTS, SCHEMA_KEY

FIRST = 50  # the priority of what somebody waits for who cannot do anything else, such as a new tenant
BULK = -50  # of what takes long and may: many objects at once, and care of what is there; others have 0
UNREADABLE = (ValueError, RecursionError, DataError)  # JSON and dates of PostgreSQL that Python cannot hold

# As in the index, to the letter: PostgreSQL compares expressions.
SCHEMA = """coalesce(args_kwargs #>> '{kwargs,_tenant_schema}', 'public') COLLATE "C\""""
DUE = "CASE WHEN run_after = '9999-01-01 00:00:00+00' THEN enqueued_at ELSE run_after END"
TENANT = RawSQL(SCHEMA, (), TextField())  # noqa: S611 - constants alone
DUE_AT = RawSQL(DUE, (), DateTimeField())  # noqa: S611 - constants alone
PRIORITIES = """
    WITH RECURSIVE found (priority) AS (
        SELECT max(priority) FROM {table} WHERE status = 'READY'
        UNION ALL
        SELECT (SELECT max(priority) FROM {table} WHERE status = 'READY' AND priority < found.priority)
        FROM found WHERE found.priority IS NOT NULL
    )
    SELECT priority FROM found WHERE priority IS NOT NULL
"""
HEAD = f"""
    SELECT {SCHEMA} AS schema, {DUE} AS due FROM {{table}}
    WHERE status = 'READY' AND priority = %(priority)s AND {SCHEMA} > {{after}}
    ORDER BY {SCHEMA}, {DUE} LIMIT 1
"""  # noqa: S608 - constants alone
NEXT = f"""
    WITH RECURSIVE heads (schema, due) AS (
        ({HEAD.replace("{after}", "%(after)s")})
        UNION ALL
        SELECT following.schema, following.due
        FROM heads, LATERAL ({HEAD.replace("{after}", "heads.schema")}) following
        WHERE heads.due > %(now)s
    )
    SELECT schema FROM heads WHERE due <= %(now)s AND (%(until)s = '' OR schema <= %(until)s COLLATE "C")
"""  # noqa: S608 - constants alone


LONGEST_WAIT = f"""
    SELECT coalesce(extract(epoch FROM now() - min(due)), 0) FROM (
        SELECT {DUE} AS due FROM {{table}} WHERE status = 'READY' ORDER BY priority DESC, run_after
        LIMIT 10000
    ) AS ready WHERE due <= now()
"""  # noqa: S608 - constants alone


def measure_wait() -> float:
    """Return for how many seconds the longest of the tasks that are due has waited; looks at 10,000."""
    ((seconds,),) = _select(LONGEST_WAIT)
    return float(seconds)


class Turns:
    """Whose turn it is, for one worker: it remembers the tenant that had the last one, by priority."""

    def __init__(self, *, leaves_one_free: bool = True) -> None:
        self._last: dict[int, str] = {}
        self._free_worker = FreeWorker() if leaves_one_free else None

    def claim(self, tasks: QuerySet[DBTaskResult], worker_id: str) -> DBTaskResult | None:
        """Give the worker the next of these tasks that is due; return None if there is none."""
        now = timezone.now()
        greedy = self._free_worker.find_greedy(SCHEMA) if self._free_worker else set()
        with transaction.atomic():
            for (priority,) in _select(PRIORITIES):
                for schema in self._list_tenants(priority, now):
                    if schema in greedy:
                        continue
                    self._last[priority] = schema
                    ready = tasks.filter(status=TaskResultStatus.READY, priority=priority)
                    named = ready.annotate(schema=TENANT, due=DUE_AT)
                    due = named.filter(schema=schema, due__lte=now).order_by("due")
                    # None if other workers have just taken all, or if its tasks are in queues of others.
                    if task := _read_first(due.select_for_update(skip_locked=True), schema):
                        task.claim(worker_id)
                        return task
        return None

    def _list_tenants(self, priority: int, now: object) -> Iterator[str]:
        last = self._last.get(priority, "")
        for after, until in ((last, ""), ("", last)):  # those behind the last one, then those up to it
            while found := _select(NEXT, priority=priority, after=after, until=until, now=now):
                after = found[0][0]
                yield after
            if not last:
                return


def _read_first(due: QuerySet[DBTaskResult], schema: str) -> DBTaskResult | None:
    """Return the first of a tenant's tasks; those before it that cannot be read have failed."""
    while True:
        try:
            return due.first()
        except UNREADABLE as error:
            unreadable = DBTaskResult.objects.filter(pk__in=list(due.values_list("pk", flat=True)[:1]))
            now, fault = timezone.now(), UnusableTaskError(f"The row of the task cannot be read: {error}")
            values = {ARGUMENTS: {"args": [], "kwargs": {SCHEMA_KEY: schema}}, "worker_ids": []}
            unreadable.update(enqueued_at=now, run_after=now, **values)
            unreadable.get().set_failed(fault)


def _select(statement: str, **values: object) -> list[tuple]:
    table = connection.ops.quote_name(DBTaskResult._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(statement.replace("{table}", table), values)
        return cursor.fetchall()
