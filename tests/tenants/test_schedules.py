from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise

import pytest
from django.core.exceptions import PermissionDenied
from django.db import OperationalError, ProgrammingError, connection
from django.tasks import TaskResultStatus
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from apps.operations.doctor.examining import examine
from tenants.context import connection as tenants_connection
from tenants.context import tenant_context, unbound
from tenants.models import ScheduledRun, Tenant
from tenants.periodic import dispatching
from tenants.periodic.dispatching import write_due_tasks
from tenants.periodic.periodic_worker import PeriodicWorker
from tenants.periodic.schedule import SHORTEST, Schedule, UnknownScheduleError, Where, list_schedules
from tenants.periodic.tasks import run_in_public, run_in_tenants
from tenants.queue.worker import recover_orphans
from tenants.schedules import prune_task_results
from tests.models_app.models import Note

HOUR = timedelta(hours=1)
seen = []


def look():
    """Note down where it runs."""
    seen.append(tenants_connection.schema_name)


def write_note():
    """Leave a trace in the bound tenant."""
    Note.objects.create(title="Periodic", body="It was here.")


@pytest.fixture
def schedule(db, monkeypatch):
    """Let there be one schedule alone; return its row, which is not due."""

    def make(work=look, where=Where.TENANTS, every=HOUR):
        made = Schedule(work, every, where)
        for module in (
            "tenants.periodic.dispatching",
            "tenants.periodic.schedule",
            "apps.operations.doctor.tasks",
        ):
            monkeypatch.setattr(f"{module}.list_schedules", lambda: {made.name: made})
        return ScheduledRun.objects.create(name=made.name, due_at=timezone.now() + every / 2)

    seen.clear()
    ScheduledRun.objects.all().delete()
    return make


def let_be_due(row, since=timedelta(0)):
    row.due_at = timezone.now() - since - timedelta(seconds=1)
    row.save()


def list_tasks():
    paths = [run_in_public.module_path, run_in_tenants.module_path]
    return DBTaskResult.objects.filter(task_path__in=paths)


def test_what_is_not_due_does_not_run(acme, schedule):
    schedule()

    assert write_due_tasks() == 0
    assert not list_tasks().exists()


def test_what_is_due_runs_once_in_each_active_tenant(acme, globex, schedule, run_tasks):
    row = schedule()
    let_be_due(row)

    assert write_due_tasks() == 1
    assert write_due_tasks() == 0
    run_tasks()

    assert sorted(seen) == ["acme", "globex"]
    row.refresh_from_db()
    assert timezone.now() < row.due_at <= timezone.now() + HOUR
    assert not list_tasks().exclude(status=TaskResultStatus.SUCCESSFUL).exists()


@pytest.mark.parametrize(
    ("where", "ran"), [(Where.PUBLIC, ["public"]), (Where.EVERYWHERE, ["acme", "globex", "public"])]
)
def test_it_may_run_in_public(acme, globex, schedule, run_tasks, where, ran):
    let_be_due(schedule(where=where))

    write_due_tasks()
    run_tasks()

    assert sorted(seen) == ran


def test_a_run_leaves_its_traces_in_its_tenant_alone(acme, globex, schedule, run_tasks, monkeypatch):
    let_be_due(schedule(work=write_note))
    globex.state = Tenant.State.SUSPENDED
    globex.save()

    write_due_tasks()
    run_tasks()

    with tenant_context(acme):
        assert Note.objects.filter(title="Periodic").count() == 1
    with tenant_context(globex):
        assert not Note.objects.filter(title="Periodic").exists()


@pytest.mark.parametrize("since", [HOUR * 10.5, HOUR * 24 * 400])
def test_missed_runs_are_made_up_for_by_one(acme, schedule, run_tasks, since):
    row = schedule()
    let_be_due(row, since=since)
    due_at = row.due_at

    write_due_tasks()
    run_tasks()

    assert write_due_tasks() == 0
    row.refresh_from_db()
    assert timezone.now() < row.due_at <= timezone.now() + HOUR
    assert (row.due_at - due_at) % HOUR == timedelta(0)


def test_a_time_that_a_wrong_clock_has_put_far_away_is_due(acme, schedule, run_tasks):
    row = schedule()
    let_be_due(row, since=-HOUR * 24 * 400)
    run_in_tenants.using(run_after=timezone.now() + HOUR * 24 * 400).enqueue(row.name, acme.pk, acme.pk)

    assert write_due_tasks() == 1
    assert write_due_tasks() == 0
    row.refresh_from_db()
    assert timezone.now() < row.due_at <= timezone.now() + HOUR


def test_no_run_begins_while_the_one_before_it_waits(acme, schedule):
    row = schedule()
    let_be_due(row)
    write_due_tasks()
    let_be_due(row)

    assert write_due_tasks() == 0
    assert list_tasks().count() == 1


def test_many_tenants_come_in_slices_that_are_spread(acme, globex, schedule, make_tenant, monkeypatch):
    monkeypatch.setattr(dispatching, "SLICE", 2)
    for number in range(5):
        make_tenant(f"more{number}", state=Tenant.State.ACTIVE)
    let_be_due(schedule())

    assert write_due_tasks() == 4

    rows = list(list_tasks().order_by("run_after"))
    ranges = [row.args_kwargs["args"][1:] for row in rows]
    assert all(before[1] < after[0] for before, after in pairwise(ranges))
    assert {b.run_after - a.run_after for a, b in pairwise(rows)} == {HOUR / 8}


def test_a_new_schedule_gets_its_row_and_a_time_within_its_period(acme, schedule):
    row = schedule()
    row.delete()

    write_due_tasks()

    (row,) = ScheduledRun.objects.all()
    assert row.due_at <= timezone.now() + HOUR


@pytest.fixture
def due_schedule(committed, monkeypatch):
    """A schedule that is due, committed for all sessions; it goes at the end."""
    made = Schedule(look, HOUR, Where.PUBLIC)
    monkeypatch.setattr("tenants.periodic.dispatching.list_schedules", lambda: {made.name: made})
    committed(ScheduledRun.objects.create, name=made.name, due_at=timezone.now() - HOUR)
    yield made
    committed(ScheduledRun.objects.filter(name=made.name).delete)
    committed(list_tasks().filter(args_kwargs__args__0=made.name).delete)


def test_of_two_workers_one_begins_the_run(acme, due_schedule):
    def ask(_):
        try:
            return write_due_tasks()
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        counts = sorted(pool.map(ask, range(8)))

    assert counts == [0] * 7 + [1]


def test_a_worker_that_dies_half_way_is_followed_by_another(acme, globex, schedule, run_tasks, monkeypatch):
    def die_at_the_second():
        look()
        if len(seen) == 2:
            raise SystemExit

    let_be_due(schedule(work=die_at_the_second))
    write_due_tasks()

    task = run_tasks.worker.claim()
    with pytest.raises(SystemExit):
        task.task.call(*task.args_kwargs["args"], **task.args_kwargs["kwargs"])
    assert recover_orphans() == 1
    run_tasks()

    assert sorted(seen[2:]) == ["acme", "globex"]
    assert list_tasks().get().status == TaskResultStatus.SUCCESSFUL


@pytest.mark.parametrize("state", ["suspended", "leaving", None])
def test_a_tenant_that_closes_meanwhile_is_passed_over(acme, globex, schedule, run_tasks, make_tenant, state):
    last = make_tenant("last", state=Tenant.State.ACTIVE)

    def close_the_last():
        look()
        with unbound():
            rows = Tenant.objects.filter(pk=last.pk)
            rows.update(state=state) if state else rows.delete()

    let_be_due(schedule(work=close_the_last))
    write_due_tasks()
    run_tasks()

    assert "last" not in seen
    assert list_tasks().get().status == TaskResultStatus.SUCCESSFUL


def test_a_tenant_in_which_it_fails_keeps_no_other_from_its_turn(acme, globex, schedule, run_tasks, caplog):
    def fail_in_acme():
        look()
        if tenants_connection.schema_name == "acme":
            raise ValueError("no luck")

    let_be_due(schedule(work=fail_in_acme))
    write_due_tasks()
    run_tasks()

    assert sorted(seen) == ["acme", "globex"]
    task = list_tasks().get()
    assert task.status == TaskResultStatus.FAILED
    assert "fail_in_acme failed in acme; the log says why." in task.traceback
    assert "no luck" in caplog.text


def test_a_database_that_is_away_is_tried_again(acme, schedule, run_tasks):
    def lose():
        raise OperationalError("the server is away")

    let_be_due(schedule(work=lose))
    write_due_tasks()
    run_tasks()

    task = list_tasks().get()
    assert (task.status, task.run_after > timezone.now()) == (TaskResultStatus.READY, True)


def test_a_schedule_that_this_worker_does_not_know_waits(db):
    with pytest.raises(UnknownScheduleError, match=r"No installed app has a periodic task 'apps\.new\.tidy'"):
        run_in_public.call("apps.new.tidy")


@pytest.mark.parametrize(("task", "arguments"), [(run_in_public, []), (run_in_tenants, [1, 9])])
def test_no_tenant_can_have_schedules_run(acme, run_tasks, task, arguments):
    with tenant_context(acme):
        result = task.enqueue(prune_task_results.__module__, *arguments)

    run_tasks()

    row = DBTaskResult.objects.get(pk=result.id)
    assert row.status == TaskResultStatus.FAILED
    assert row.exception_class_path.endswith(PermissionDenied.__name__)


def test_a_tenant_can_neither_see_nor_move_the_times(acme, schedule):
    schedule()

    with tenant_context(acme), pytest.raises(ProgrammingError, match="permission denied"):
        ScheduledRun.objects.exists()


def make_worker():
    return PeriodicWorker(
        queue_names=["default"],
        excluded_queue_names=[],
        backend_name="default",
        worker_id="periodic",
        interval=0,
        batch=True,
        startup_delay=False,
        max_tasks=None,
    )


def test_a_worker_asks_what_is_due_from_time_to_time(acme, schedule):
    row = schedule()
    let_be_due(row)
    worker = make_worker()

    assert worker.claim().task_path == run_in_tenants.module_path
    list_tasks().delete()
    let_be_due(row)
    assert worker.claim() is None
    worker._next_look = 0
    assert worker.claim() is not None


def test_a_fault_of_the_schedules_keeps_no_worker_from_its_tasks(acme, monkeypatch, caplog):
    def fail():
        raise RuntimeError("two rooms, one name")

    monkeypatch.setattr("tenants.periodic.periodic_worker.write_due_tasks", fail)
    prune = run_in_public.enqueue("x")

    assert str(make_worker().claim().id) == prune.id
    assert "No periodic task was begun: two rooms, one name" in caplog.text


def test_schedules_can_be_switched_off(acme, schedule, settings):
    let_be_due(schedule())
    settings.SCHEDULES = False

    assert write_due_tasks() == 0


def test_a_period_that_is_too_short_is_refused():
    with pytest.raises(ValueError, match=r"every: 0:00:01 is too short for .*look; 0:05:00 is the least"):
        Schedule(look, timedelta(seconds=1))


def test_every_schedule_of_the_house_has_a_name_of_its_own_and_a_docstring():
    schedules = list_schedules()

    assert "tenants.schedules.prune_task_results" in schedules
    assert all(schedule.work.__doc__ and schedule.every >= SHORTEST for schedule in schedules.values())


def test_old_results_go_and_those_of_today_stay(acme, settings):
    settings.TASK_RESULT_DAYS = 3
    now = timezone.now()
    kept = []
    for days, status in [(4, "SUCCESSFUL"), (4, "FAILED"), (2, "SUCCESSFUL"), (400, "READY")]:
        row = DBTaskResult.objects.get(pk=run_in_public.enqueue("x").id)
        row.status, row.finished_at = status, None if status == "READY" else now - timedelta(days=days)
        row.save()
        if days != 4:
            kept.append(row.pk)

    prune_task_results()

    assert set(DBTaskResult.objects.values_list("pk", flat=True)) == set(kept)


def test_the_doctor_names_what_is_late(acme, schedule):
    row = schedule()
    let_be_due(row, since=HOUR * 3)

    (finding,) = [each for each in examine() if "look" in each.message]

    assert f"{row.name} was due at {row.due_at:%Y-%m-%d %H:%M} UTC" in finding.message
    assert finding.fix == "manage.py db_worker"
    let_be_due(row)
    assert not [each for each in examine() if "look" in each.message]
