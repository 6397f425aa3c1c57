import signal
import threading

import pytest
from django.db import OperationalError, ProgrammingError, connection
from django.tasks import TaskResultStatus
from django_tasks_db.models import DBTaskResult
from psycopg.errors import UndefinedTable

from tenants.context import tenant_context
from tenants.locks import Lock, take
from tenants.queue import worker
from tenants.queue.retries import RETRIED
from tenants.queue.worker import recover_orphans
from tests.workers import LOCKS_HERE, PATIENCE, wait_until

from . import tasks

pytestmark = pytest.mark.usefixtures("as_owner")


@pytest.fixture
def start_task(db):
    """Write a task that the named workers claimed one after the other, the last one being at it."""

    def start(*worker_ids):
        row = DBTaskResult.objects.get(pk=tasks.report_binding.enqueue().id)
        for worker_id in worker_ids:
            row.claim(worker_id)
        return row

    return start


@pytest.fixture
def live_worker(db):
    """Watch as a worker's thread does, in the name of a worker, until the test ends."""
    stop = threading.Event()
    threads = []

    def start(worker_id):
        ready = threading.Event()
        thread = threading.Thread(target=worker._keep_watch, args=(worker_id, ready, stop))
        thread.start()
        threads.append(thread)
        assert ready.wait(PATIENCE)

    yield start
    stop.set()
    for thread in threads:
        thread.join()


def count_held_locks():
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM {LOCKS_HERE} WHERE locktype = 'advisory' AND classid = %s",
            [Lock.WORKER],
        )
        return cursor.fetchone()[0]


def test_a_dead_workers_task_is_ready_again(start_task):
    row = start_task("dead")

    recovered = recover_orphans("own")

    row.refresh_from_db()
    assert recovered == 1
    assert row.status == TaskResultStatus.READY
    assert row.worker_ids == ["dead"]


def test_a_recovered_task_runs_again_with_its_tenant(acme, start_task, run_tasks):
    with tenant_context(acme):
        row = start_task("dead")
    recover_orphans("own")

    run_tasks()

    row.refresh_from_db()
    assert row.return_value == ["acme", "acme"]
    assert row.worker_ids == ["dead", "test-worker"]


def test_a_live_workers_task_is_left_alone(start_task, live_worker):
    live_worker("alive")
    row = start_task("dead", "alive")

    recovered = recover_orphans("own")

    row.refresh_from_db()
    assert (recovered, row.status) == (0, TaskResultStatus.RUNNING)


def test_a_dead_workers_task_is_recovered_beside_a_live_ones(start_task, live_worker):
    live_worker("alive")
    kept, lost = start_task("alive"), start_task("dead")

    recovered = recover_orphans("own")

    kept.refresh_from_db()
    lost.refresh_from_db()
    assert (recovered, kept.status, lost.status) == (1, TaskResultStatus.RUNNING, TaskResultStatus.READY)


def test_a_worker_does_not_take_its_own_task_for_an_orphan(start_task):
    row = start_task("dead", "own")

    recovered = recover_orphans("own")

    row.refresh_from_db()
    assert (recovered, row.status) == (0, TaskResultStatus.RUNNING)


def test_a_worker_is_dead_when_its_session_is_gone(start_task, other_session):
    take(Lock.WORKER, "alive", session=other_session)
    row = start_task("alive")
    before = recover_orphans("own")

    other_session.close()
    wait_until(lambda: recover_orphans("own") == 1)

    row.refresh_from_db()
    assert (before, row.status) == (0, TaskResultStatus.READY)


def test_a_task_that_outlived_three_workers_fails(start_task):
    row = start_task("first", "second", "third")

    recovered = recover_orphans("own")

    row.refresh_from_db()
    assert (recovered, row.status) == (0, TaskResultStatus.FAILED)
    assert row.exception_class_path == "tenants.queue.worker.WorkerDiedError"
    assert "3 workers died while they ran this task." in row.traceback


@pytest.mark.parametrize(
    "status", [TaskResultStatus.READY, TaskResultStatus.SUCCESSFUL, TaskResultStatus.FAILED]
)
def test_a_task_that_is_not_running_is_no_orphan(start_task, status):
    row = start_task("dead")
    DBTaskResult.objects.filter(pk=row.pk).update(status=status)

    assert recover_orphans("own") == 0


def test_a_worker_that_recovers_another_at_once_does_not_wait_for_it(start_task, committed):
    row = start_task("dead")
    recover_orphans("own")

    assert committed(recover_orphans, "other") == 0
    row.refresh_from_db()
    assert row.status == TaskResultStatus.READY


def test_a_watch_that_loses_its_session_goes_on_with_a_new_one(column, live_worker, monkeypatch):
    monkeypatch.setattr(worker, "INTERVAL", 0.05)
    live_worker("alive")
    holder = f"SELECT pid FROM {LOCKS_HERE} WHERE locktype = 'advisory' AND classid = %s"
    (pid,) = column(holder, Lock.WORKER)

    column("SELECT pg_terminate_backend(%s, 10000)", pid)

    wait_until(lambda: column(holder, Lock.WORKER) not in ([], [pid]))


@pytest.mark.slow
def test_a_killed_workers_task_is_finished_by_the_next(acme, committed, start_worker, tmp_path):
    def write_task():
        with tenant_context(acme):
            return tasks.wait_for_file.enqueue(str(tmp_path)).id

    began, release = tmp_path / "began", tmp_path / "release"
    task_id = committed(write_task)
    try:
        first = start_worker("--worker-id=first")
        wait_until(began.exists)
        first.send_signal(signal.SIGKILL)
        first.wait()
        wait_until(lambda: count_held_locks() == 0)
        release.touch()

        start_worker("--worker-id=second", "--batch").wait(PATIENCE)

        row = DBTaskResult.objects.get(pk=task_id)
        assert (row.status, row.return_value) == (TaskResultStatus.SUCCESSFUL, "acme")
        assert row.worker_ids == ["first", "second"]
        assert began.read_text() == "acme\nacme\n"
    finally:
        committed(lambda: DBTaskResult.objects.filter(pk=task_id).delete())


@pytest.mark.slow
def test_a_worker_that_loses_its_sessions_goes_on_as_another(acme, committed, column, start_worker, tmp_path):
    def write_task():
        with tenant_context(acme):
            return tasks.wait_for_file.enqueue(str(tmp_path)).id

    began, release = tmp_path / "began", tmp_path / "release"
    task_id = committed(write_task)
    try:
        process = start_worker("--worker-id=first")
        wait_until(began.exists)
        column(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND backend_type = 'client backend'"
            " AND pid <> pg_backend_pid()"
        )
        release.touch()
        wait_until(lambda: DBTaskResult.objects.get(pk=task_id).status == TaskResultStatus.SUCCESSFUL)

        row = DBTaskResult.objects.get(pk=task_id)
        assert row.return_value == "acme"
        retried, other = row.worker_ids
        assert (retried, other == "first") == (RETRIED, False)
        assert began.read_text() == "acme\nacme\n"
        assert process.poll() is None
    finally:
        committed(lambda: DBTaskResult.objects.filter(pk=task_id).delete())


@pytest.fixture
def lose_once(monkeypatch, run_tasks):
    """Let a worker's loop raise an error once; from then on the database is away for some tries."""
    tries = []

    def lose(error, *, tries_without=2, batch=False):
        def work(self):
            tries.append((self.worker_id, self.startup_delay))
            if len(tries) == 1:
                raise error

        def ask():
            if len(asked) < tries_without:
                asked.append(1)
                raise OperationalError("still away")
            return True

        asked = []
        monkeypatch.setattr(worker, "PAUSE", 0)
        monkeypatch.setattr(worker.RecoveringWorker, "_work", work)
        monkeypatch.setattr(worker, "_keep_watch", lambda own_id, ready, stop: ready.set())
        monkeypatch.setattr(worker.connections, "close_all", lambda: None)
        monkeypatch.setattr(worker.DBTaskResult.objects, "exists", ask)
        run_tasks.worker.batch, run_tasks.worker.startup_delay = batch, True
        run_tasks.worker.run()
        return tries, len(asked)

    return lose


def test_a_worker_waits_for_a_database_that_is_away_and_says_so_once(lose_once, caplog):
    tries, asked = lose_once(OperationalError("gone"), tries_without=5)

    (before, _), (after, is_delayed) = tries
    assert (before != after, is_delayed, asked) == (True, False, 5)
    assert [record.getMessage() for record in caplog.records] == [
        f"Worker {before} lost the database and waits for it, to go on as {after}: gone",
        f"Worker {after} has the database back",
    ]


def test_a_worker_waits_for_the_queue_while_a_backup_is_restored(lose_once):
    error = ProgrammingError("no queue")
    error.__cause__ = UndefinedTable()

    tries, _ = lose_once(error)

    assert len(tries) == 2


@pytest.mark.parametrize(("error", "batch"), [(ProgrammingError(), False), (OperationalError(""), True)])
def test_a_worker_does_not_wait_for_what_waiting_does_not_mend(lose_once, error, batch):
    with pytest.raises(type(error)):
        lose_once(error, batch=batch)


def test_a_watch_that_finds_no_database_asks_again_at_once_and_says_so_once(committed, monkeypatch, caplog):
    def lose(own_id):
        tries.append(own_id)
        if len(tries) == 4:
            stop.set()
        raise OperationalError("gone")

    tries, stop = [], threading.Event()
    monkeypatch.setattr(worker, "PAUSE", 0.01)
    monkeypatch.setattr(worker, "take", lambda lock, name: lose(name))

    committed(worker._keep_watch, "own", threading.Event(), stop)

    assert len(tries) == 4
    assert len(caplog.records) == 1


def test_an_idle_worker_asks_less_and_less_often_until_there_is_a_task(run_tasks, monkeypatch):
    def sleep(seconds):
        pauses.append(seconds)
        idle.running = len(pauses) < 8

    def claim():
        return "task" if len(pauses) == 6 and not done else None

    idle, pauses, done = run_tasks.worker, [], []
    idle.batch, idle.interval = False, 0.5
    monkeypatch.setattr(worker.time, "sleep", sleep)
    monkeypatch.setattr(idle, "claim", claim)
    monkeypatch.setattr(idle, "run_task", done.append)

    idle._work()

    assert pauses == [0.5, 0.75, 1.125, 1.6875, 2, 2, 0.5, 0.75]
    assert done == ["task"]
