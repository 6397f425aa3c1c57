"""Fixtures for what is committed and done by other processes: `committed`, `run_tasks`, `start_worker`."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from django.conf import settings as project_settings
from django.db import connection

from tenants.queue.worker import RecoveringWorker

PATIENCE = 60  # seconds until a test gives up; nothing is asserted about time
# pg_locks shows the whole server's, those of other workers' tests among them. Not all name a database, and
# pg_stat_activity, which does, stays as it is until the transaction ends.
LOCKS_HERE = """
    (SELECT * FROM pg_locks WHERE pid IN (
        SELECT pid FROM pg_locks JOIN pg_database ON pg_database.oid = database
        WHERE datname = current_database()
    )) AS locks
"""


@pytest.fixture
def committed(db):
    """Call a function in a session of its own that commits at once, as a worker's does."""

    def call(function, *args, **kwargs):
        return pool.submit(_call_and_close, function, args, kwargs).result(timeout=120)

    with ThreadPoolExecutor(1) as pool:
        yield call


@pytest.fixture
def run_tasks(db):
    """Run what waits with a worker's own method; its loop would close the test's transaction."""
    worker = RecoveringWorker(
        queue_names=["default"],
        excluded_queue_names=[],
        backend_name="default",
        worker_id="test-worker",
        interval=0,
        batch=True,
        startup_delay=False,
        max_tasks=None,
    )

    def run():
        while task := worker.claim():
            worker.run_task(task)

    run.worker = worker
    return run


@pytest.fixture
def start_worker():
    """Start `manage.py db_worker` on the test database, as a process of its own."""
    processes = []

    def start(*options, **variables):
        command = [
            sys.executable,
            "-c",
            RUN_WORKER,
            "db_worker",
            "--no-reload",
            "--no-startup-delay",
            *options,
        ]
        # The database is kept between runs: by then, all periodic tasks are due.
        environment = os.environ | {"DATABASE_URL": get_test_database_url(), "SCHEDULES": "False"} | variables
        process = subprocess.Popen(command, cwd=project_settings.BASE_DIR, env=environment)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()


RUN_WORKER = """
import os, sys
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", *sys.argv[1:]])
"""


def get_test_database_url():
    parts = urlsplit(project_settings.DATABASE_URL)
    folder = parts.path.rsplit("/", 1)[0]
    return parts._replace(path=f"{folder}/{connection.settings_dict['NAME']}").geturl()


def wait_until(condition, *, patience=PATIENCE):
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"gave up waiting for {condition.__name__}"
        time.sleep(0.05)


def _call_and_close(function, args, kwargs):
    try:
        return function(*args, **kwargs)
    finally:
        connection.close()
