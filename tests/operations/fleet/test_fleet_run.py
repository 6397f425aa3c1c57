import os
import signal
import subprocess
import sys
import threading
from urllib.parse import quote

import pytest
from django.conf import settings as project_settings
from django.db import connection

from apps.operations.fleet.migrator import Result
from apps.operations.fleet.parallel import FleetRun


class Watcher:
    def __init__(self):
        self.heard = []

    def finished(self, result):
        self.heard.append(result.schema)

    def stopping(self, running):
        self.heard.append(running)


class Worker:
    def __init__(self, act):
        self.migrate, self.closed = act, 0

    def close(self):
        self.closed += 1


def make_run(act, *, parallel, max_failures=3, stopping=None):
    worker, watcher = Worker(act), Watcher()
    run = FleetRun(
        worker, watcher, parallel=parallel, max_failures=max_failures, stopping=stopping or threading.Event()
    )
    return run, worker, watcher


def start_process(fleet, *args):
    values = connection.settings_dict
    user = f"{quote(values['USER'])}:{quote(values['PASSWORD'])}"
    # A socket's folder stands in the path, as django-environ reads it.
    host, folder = ("", f"{values['HOST']}/") if values["HOST"].startswith("/") else (values["HOST"], "")
    url = f"postgresql://{user}@{host}:{values['PORT'] or 5432}/{folder}{fleet.name}"
    return subprocess.Popen(
        [sys.executable, "manage.py", "migrate_schemas", *args],
        cwd=project_settings.BASE_DIR,
        env=os.environ | {"DATABASE_URL": url, "TENANT_ROLES": "False"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_stopping_ends_after_the_tenants_at_work():
    stopping = threading.Event()

    def act(schema):
        stopping.set()
        return Result(schema, 0.1, 1)

    run, worker, _ = make_run(act, parallel=1, stopping=stopping)

    run.migrate(["a", "b", "c"])

    assert [result.schema for result in run.results] == ["a"]
    assert list(run.waiting) == ["b", "c"]
    assert worker.closed == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_is_a_failure_of_its_tenant():
    def act(schema):
        if schema == "b":
            raise MemoryError
        return Result(schema, 0.1, 1)

    run, _, watcher = make_run(act, parallel=1)

    run.migrate(["a", "b", "c"])

    assert [(result.schema, result.failure) for result in run.failures] == [
        ("b", "its thread ended without a result")
    ]
    assert watcher.heard == ["a", "b"]
    assert list(run.waiting) == ["c"]


def test_ctrl_c_finishes_what_runs_names_what_is_left_and_gives_130(fleet):
    fleet.unapply("f1", "f2", "f3")

    with fleet.busy("f1") as release:
        process = start_process(fleet, "--tenant", "--lock-timeout=60")
        fleet.wait_until("f1", is_awaited=True)
        process.send_signal(signal.SIGINT)
        first = process.stderr.readline()
        release()
        output, errors = process.communicate(timeout=60)

    assert first == "Stopping. Waiting for f1.\n"
    assert process.returncode == 130
    assert "[1/3] f1: migrated" in output
    assert "CommandError: 1 migrated, 0 failed, 2 not begun." in errors
    assert "Not begun, because the run was stopped: f2, f3" in errors
    assert fleet.migrated() == ["f1", "f4"]
