"""How long a tenant's one task waits behind somebody's 10,000, and what it costs to find it.

Tasks are claimed and marked as done, but not run: a task takes as long as it takes, and waits multiply. The
baseline is the order of django-tasks-db, in which tasks of all tenants stand in one line.
"""

from collections.abc import Callable
from statistics import median

from django.db import connection, transaction
from django.tasks import TaskResultStatus
from django_tasks_db.models import DBTaskResult, get_date_max

from tenants.queue.rows import SCHEMA_KEY, get_schema
from tenants.queue.turns import BULK, FIRST, Turns
from tests.bench_tenants.database import measure, show

BIG, CLAIMS = 10_000, 300
Claim = Callable[[], DBTaskResult | None]


def bench(count: int) -> None:
    """Fill the queue for so many tenants, and look who comes when, and what a claim costs."""
    turns = Turns()
    _fill(count)
    before = _list_line()
    cost_before = _measure_claims(_claim_next)
    _fill(count)
    after = [_claim_and_end(lambda: turns.claim(DBTaskResult.objects.all(), "worker")) for _ in range(count)]
    cost = _measure_claims(lambda: turns.claim(DBTaskResult.objects.all(), "worker"))
    for what, schema in {"a new tenant": "public", "the last single save": f"t{count - 2:03}"}.items():
        print(f"  {what} waits for {after.index(schema)} tasks, in one line for {before.index(schema)}")
    show("a claim, p50: in turns against one line", cost, cost_before)


def _fill(count: int) -> None:
    DBTaskResult.objects.all().delete()
    _write("big", BIG, BULK)
    for number in range(count - 1):
        _write(f"t{number:03}", 1, 0)
    _write("public", 1, FIRST)
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {DBTaskResult._meta.db_table}")


def _write(schema: str, number: int, priority: int) -> None:
    DBTaskResult.objects.bulk_create(
        DBTaskResult(
            task_path="bench.task",
            args_kwargs={"args": ["notes.note", list(range(50))], "kwargs": {SCHEMA_KEY: schema}},
            priority=priority,
            queue_name="default",
            backend_name="default",
            run_after=get_date_max(),
        )
        for _ in range(number)
    )


def _list_line() -> list[str]:
    """Return the tenants in the order of django-tasks-db, where no task has a priority."""
    return [get_schema(task) for task in DBTaskResult.objects.order_by("run_after", "enqueued_at")]


def _claim_next() -> DBTaskResult | None:
    with transaction.atomic():
        if task := DBTaskResult.objects.ready().get_locked():
            task.claim("worker")
        return task


def _claim_and_end(claim: Claim) -> str | None:
    task = claim()
    DBTaskResult.objects.filter(pk=task.pk).update(status=TaskResultStatus.SUCCESSFUL)
    return get_schema(task)


def _measure_claims(claim: Claim) -> float:
    return median(measure(lambda: _claim_and_end(claim)) for _ in range(CLAIMS))
