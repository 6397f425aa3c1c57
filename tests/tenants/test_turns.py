import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from tenants.queue import free_worker, turns
from tenants.queue.rows import SCHEMA_KEY, get_schema
from tenants.queue.turns import BULK, FIRST, Turns
from tenants.tasks import provision_tenant
from tests.workers import PATIENCE

from . import tasks

pytestmark = pytest.mark.usefixtures("as_owner")

BIG = 10_000
AT_ONCE = timezone.datetime(9999, 1, 1, tzinfo=timezone.get_default_timezone())


@pytest.fixture
def write(db):
    """Write tasks of tenants that need not be there, one after the other."""

    def make(schema, number=1, *, priority=0, run_after=AT_ONCE, queue="default"):
        rows = [
            DBTaskResult(
                task_path=tasks.report_binding.module_path,
                args_kwargs={"args": [], "kwargs": {SCHEMA_KEY: schema} if schema else {}},
                priority=priority,
                run_after=run_after,
                queue_name=queue,
                backend_name="default",
            )
            for _ in range(number)
        ]
        return DBTaskResult.objects.bulk_create(rows)

    return make


@pytest.fixture
def take(run_tasks):
    """Let one worker claim so many tasks; return their tenants and priorities."""

    def claim(number, worker=run_tasks.worker):
        claimed = [worker.claim() for _ in range(number)]
        return [(get_schema(task), task.priority) if task else None for task in claimed]

    return claim


def test_tenants_have_their_turns_however_many_tasks_one_has(write, take):
    write("big", 50)
    write("late")
    write("small", 2)

    taken = [schema for schema, _ in take(6)]

    assert taken == ["big", "late", "small", "big", "small", "big"]


def test_a_tenant_that_comes_later_waits_for_one_task_alone(write, take):
    write("big", 50)
    take(20)

    write("another")

    assert [schema for schema, _ in take(2)] == ["another", "big"]


def test_a_tenants_own_tasks_come_in_the_order_in_which_they_are_due(write, run_tasks):
    now = timezone.now()
    late = write("acme", run_after=now - timedelta(seconds=1))
    early = write("acme", run_after=now - timedelta(seconds=9))
    at_once = write("acme")

    claimed = [run_tasks.worker.claim().pk for _ in range(3)]

    assert claimed == [row.pk for row in (*early, *late, *at_once)]


def test_what_is_first_goes_before_single_saves_and_these_before_bulk(write, take):
    write("big", 3, priority=BULK)
    write("acme", 2)
    write("public", priority=FIRST)

    assert take(7) == [
        ("public", FIRST),
        ("acme", 0),
        ("acme", 0),
        ("big", BULK),
        ("big", BULK),
        ("big", BULK),
        None,
    ]


def test_a_new_tenant_is_what_is_first(db):
    assert provision_tenant.priority == FIRST


def test_steady_saves_of_one_tenant_change_nothing_about_the_turns_below(write, take):
    for schema in ("acme", "globex", "initech"):
        write(schema, 5, priority=BULK)
    taken = []

    for _ in range(6):
        write("hooli")
        taken += [schema for schema, priority in take(2) if priority == BULK]

    assert taken == ["acme", "globex", "initech"] * 2


def test_what_is_not_due_is_left_and_hides_nothing(write, take):
    later = timezone.now() + timedelta(hours=1)
    write("acme", run_after=later)
    write("globex", run_after=later, priority=FIRST)
    write("initech", run_after=later, priority=BULK)
    write("initech", priority=BULK)

    assert take(2) == [("initech", BULK), None]


def test_tasks_of_other_queues_are_left_to_their_workers(write, take):
    write("acme", queue="mail")
    write("globex", queue="mail")
    write("globex")

    assert take(2) == [("globex", 0), None]


def test_a_task_without_a_schema_has_the_turn_of_the_operators(write, take):
    write(None)
    write("acme")

    assert take(3) == [("acme", 0), (None, 0), None]


def test_two_workers_at_once_take_no_task_twice(committed):
    def write_two():
        return [str(tasks.report_binding.enqueue().id) for _ in range(2)]

    def claim(worker_id):
        try:
            both.wait(PATIENCE)
            return str(Turns().claim(DBTaskResult.objects.filter(pk__in=ids), worker_id).pk)
        finally:
            connection.close()

    ids, both = committed(write_two), threading.Barrier(2)
    try:
        with ThreadPoolExecutor(2) as pool:
            claimed = list(pool.map(claim, ["first", "second"]))
        assert sorted(claimed) == sorted(ids)
    finally:
        committed(DBTaskResult.objects.filter(pk__in=ids).delete)


def test_the_next_turn_is_found_in_the_index_whatever_waits(write):
    write("big", BIG, priority=BULK)
    for number in range(50):
        write(f"t{number:02}", 2, priority=BULK)
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {DBTaskResult._meta.db_table}")
        statement = turns.NEXT.replace("{table}", DBTaskResult._meta.db_table)
        values = {"priority": BULK, "after": "big", "until": "", "now": timezone.now()}
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values)
        plan = cursor.fetchone()[0][0]["Plan"]

    nodes = [plan]
    for node in nodes:
        nodes += node.get("Plans", [])
    read = [node for node in nodes if node.get("Relation Name") == DBTaskResult._meta.db_table]
    assert {node["Index Name"] for node in read} == {"tenants_turns"}
    assert sum(node["Actual Rows"] * node["Actual Loops"] for node in read) <= 2


def run_elsewhere(rows, *, seconds):
    """Let other workers be at these tasks for so long."""
    started_at = timezone.now() - timedelta(seconds=seconds)
    keys = [row.pk for row in rows]
    DBTaskResult.objects.filter(pk__in=keys).update(status="RUNNING", started_at=started_at)


@pytest.fixture
def claim_beside(run_tasks, monkeypatch):
    """Claim a task as one of so many workers; return its tenant."""

    def claim(workers):
        monkeypatch.setattr(free_worker, "count_held", lambda lock: workers)
        task = Turns().claim(DBTaskResult.objects.all(), "worker")
        return get_schema(task) if task else None

    return claim


def test_a_tenant_whose_tasks_take_long_leaves_a_worker_free(write, claim_beside):
    run_elsewhere(write("slow", 2), seconds=60)
    write("slow")

    assert claim_beside(workers=3) is None
    write("another")
    assert claim_beside(workers=3) == "another"


@pytest.mark.parametrize(
    ("running", "seconds", "workers"),
    [(2, 1, 3), (1, 60, 3), (1, 60, 1), (0, 0, 2)],
    ids=["quick tasks", "two free workers", "a worker alone", "nothing at work"],
)
def test_a_worker_is_not_left_free_for_nothing(write, claim_beside, running, seconds, workers):
    run_elsewhere(write("busy", running), seconds=seconds)
    write("busy")

    assert claim_beside(workers=workers) == "busy"


def test_new_tenants_are_never_held_back(write, claim_beside):
    run_elsewhere(write("public", 2), seconds=60)
    write("public", priority=FIRST)

    assert claim_beside(workers=3) == "public"


def test_running_tasks_are_counted_in_an_index(write):
    write("big", 2_000)
    statement = free_worker.RUNNING.format(schema=turns.SCHEMA, table=DBTaskResult._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {DBTaskResult._meta.db_table}")
        cursor.execute(f"EXPLAIN {statement}", [1, timezone.now()])
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert "tenants_running" in plan
