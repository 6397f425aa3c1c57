"""A tenant whose tasks take long leaves one worker free, so that others need not wait for their end.

Turns alone do not see to that: while nobody else has a task, one tenant takes all workers. Quick tasks may,
for whoever comes next waits for a few seconds at most.
"""

from datetime import timedelta
from time import monotonic

from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from tenants.context import connection
from tenants.locks import Lock, count_held

LONG = timedelta(seconds=5)  # a task that has run for longer is not quick
COUNT_AGAIN = 15.0  # seconds after which the workers are counted anew

# SCHEMA of `turns`, in the index of tenants/migrations/0007.
RUNNING = """
    SELECT {schema}, count(*) FROM {table} WHERE status = 'RUNNING'
    GROUP BY 1 HAVING count(*) >= %s AND min(started_at) < %s AND {schema} <> 'public'
"""


class FreeWorker:
    """Finds the tenants that may not have another worker just now."""

    def __init__(self) -> None:
        self._workers, self._counted_at = 0, float("-inf")

    def find_greedy(self, schema: str) -> set[str]:
        """Return the schemas of tenants that have all workers but one at long tasks.

        `schema` is the SQL of a task's schema. With a single worker there is none to leave free.
        """
        if monotonic() - self._counted_at > COUNT_AGAIN:
            self._workers, self._counted_at = count_held(Lock.WORKER), monotonic()
        if self._workers < 2:
            return set()
        table = connection.ops.quote_name(DBTaskResult._meta.db_table)
        statement = RUNNING.format(schema=schema, table=table)
        with connection.cursor() as cursor:
            cursor.execute(statement, [self._workers - 1, timezone.now() - LONG])
            return {found for found, _ in cursor.fetchall()}
