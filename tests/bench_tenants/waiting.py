"""How long a task waits until a worker begins with it: in an idle queue, and beside somebody's 10,000."""

import os
import random
import subprocess
import sys
import time
from statistics import median
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection
from django_tasks_db.models import DBTaskResult

from apps.search.indexing.tasks import continue_run
from tenants.context import tenant_context, unbound
from tenants.models import Tenant
from tests.bench_tenants.database import make_tenants

BIG, TRIES = 10_000, 15
COPIED = ("task_path", "args_kwargs", "priority", "queue_name", "backend_name", "run_after")
NO_RUN = 0  # the task looks for this run, finds none and ends


def bench(count: int) -> None:
    """Make the tenants, start a worker, and print both waits."""
    big, other, *rest = make_tenants(count)
    worker = subprocess.Popen(
        [sys.executable, "manage.py", "db_worker", "--no-reload", "--no-startup-delay", "--verbosity", "0"],
        env=os.environ | {"DATABASE_URL": _get_database_url(), "LOG_LEVEL": "ERROR"},
        cwd=settings.BASE_DIR,
    )
    try:
        _wait_for(other)
        idle = median(_wait_for(other) for _ in range(TRIES))
        _write(big, BIG)
        for tenant in rest:
            _write(tenant, 10)
        beside = [_wait_for(other) for _ in range(TRIES)]
        left = DBTaskResult.objects.filter(status="READY").count()
    finally:
        worker.terminate()
        worker.wait()
    waits = f"{idle:.3f} s in an idle queue, {median(beside):.3f} s beside {BIG:,} of one tenant"
    print(f"  until a task begins: {waits}")
    print(f"  {median(beside) / idle:.2f} x (goal <= 2 x); {left:,} still wait", flush=True)


def _write(tenant: Tenant, number: int) -> None:
    with tenant_context(tenant):
        continue_run.enqueue(NO_RUN)
    row = DBTaskResult.objects.latest("enqueued_at")
    values = {field: getattr(row, field) for field in COPIED}
    DBTaskResult.objects.bulk_create(DBTaskResult(**values) for _ in range(number - 1))


def _wait_for(tenant: Tenant) -> float:
    """Return for how many seconds a new task of the tenant waits."""
    time.sleep(random.uniform(0.5, 3))  # an idle worker looks less and less often
    with tenant_context(tenant):
        result = continue_run.enqueue(NO_RUN)
    with unbound():
        while True:
            row = DBTaskResult.objects.get(pk=result.id)
            if row.started_at is not None:
                return (row.started_at - row.enqueued_at).total_seconds()
            time.sleep(0.02)


def _get_database_url() -> str:
    parts = urlsplit(settings.DATABASE_URL)
    folder = parts.path.rsplit("/", 1)[0]
    return parts._replace(path=f"{folder}/{connection.settings_dict['NAME']}").geturl()
