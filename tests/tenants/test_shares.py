import asyncio
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest
from asgiref.sync import sync_to_async
from django.db import connection

from tenants.binding import shares
from tenants.binding.shares import BusyError, share
from tenants.context import NoTenantError, tenant_context
from tenants.postgresql.pool import open_pool

from ..workers import wait_until

HOLD = """
import fcntl, sys
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(shares.tempfile, "gettempdir", lambda: str(tmp_path))
    return tmp_path


def hold(*, at_once=1, in_line=0, patience=0.0):
    return share("work", at_once=at_once, in_line=in_line, patience=patience)


def refused(tenant, **options):
    with tenant_context(tenant):
        try:
            with hold(**options):
                return False
        except BusyError:
            return True


@contextmanager
def held_elsewhere(own_folder):
    """Hold the file of the only slot in another process."""
    (path,) = own_folder.glob("shares-*/work.acme.0")
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_tenant_has_no_more_than_its_share_and_another_one_has_its_own(acme, globex):
    with ExitStack() as stack, tenant_context(acme):
        for _ in range(2):
            stack.enter_context(hold(at_once=2))

        assert refused(acme, at_once=2)
        assert not refused(globex, at_once=2)

    assert not refused(acme, at_once=2)


def test_a_share_of_other_work_is_another_share(in_acme):
    with hold(), share("other", at_once=1, in_line=0, patience=0):
        assert refused(in_acme)


def test_whoever_fails_gives_the_slot_back(in_acme):
    with pytest.raises(ZeroDivisionError), hold():
        raise ZeroDivisionError

    assert not refused(in_acme)


def test_without_a_tenant_there_is_no_share(db):
    with pytest.raises(NoTenantError), hold():
        pass


def test_those_in_line_come_next_and_one_too_many_is_refused(acme):
    done = []

    def work(name):
        with tenant_context(acme), hold(in_line=2, patience=60):
            done.append(name)

    def count_waiting():
        return len(shares._lines[f"work.{acme.schema_name}"]._waiting)

    with ThreadPoolExecutor(2) as threads, tenant_context(acme), hold():
        threads.submit(work, "first")
        wait_until(lambda: count_waiting() == 1)
        threads.submit(work, "second")
        wait_until(lambda: count_waiting() == 2)
        assert refused(acme, in_line=2, patience=60)
        assert done == []

    assert done == ["first", "second"]


def test_patience_has_an_end(acme):
    with tenant_context(acme), hold(), ThreadPoolExecutor(1) as threads:
        assert threads.submit(refused, acme, in_line=1, patience=0.05).result(60)


def test_the_processes_of_a_machine_count_together_and_a_dead_one_no_more(acme, own_folder):
    assert not refused(acme)

    with held_elsewhere(own_folder) as process:
        assert refused(acme)
        process.kill()
        process.wait()
        assert not refused(acme)


def test_whoever_waits_for_another_process_notices_its_end(acme, own_folder):
    assert not refused(acme)

    with held_elsewhere(own_folder) as process:
        threading.Timer(0.1, process.kill).start()
        assert not refused(acme, in_line=1, patience=60)


def test_where_no_file_can_be_locked_the_process_counts_alone(acme, own_folder, monkeypatch):
    monkeypatch.setattr(shares, "fcntl", None)

    with tenant_context(acme), hold():
        assert refused(acme)
    assert list(own_folder.iterdir()) == []


def test_coroutines_have_the_share_of_their_tenant(acme, globex):
    def work(tenant):
        with tenant_context(tenant), hold(in_line=8, patience=60):
            running.append(tenant)
            most.append(running.count(tenant))
            running.remove(tenant)

    async def run():
        calls = [sync_to_async(work, thread_sensitive=False)(tenant) for tenant in [acme, globex] * 4]
        await asyncio.gather(*calls)

    running, most = [], []

    asyncio.run(run())

    assert most == [1] * 8


def test_a_session_of_a_pool_goes_back_while_its_user_waits(in_acme, monkeypatch):
    with open_pool() as pooled:
        pooled.ensure_connection()
        monkeypatch.setattr(shares, "connection", pooled)
        with hold():
            assert refused(in_acme, in_line=1, patience=0.05)

        assert pooled.connection is None
        assert connection.connection is not None


def test_a_line_that_nobody_is_in_is_forgotten(in_acme):
    with hold():
        assert f"work.{in_acme.schema_name}" in shares._lines

    assert f"work.{in_acme.schema_name}" not in shares._lines
