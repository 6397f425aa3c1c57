import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings as project_settings
from django.core.files.storage import FileSystemStorage
from django.core.management import call_command
from django.db import connection

from apps.operations.deletion.deleting import delete_due, delete_with_proof
from apps.operations.deletion.scheduling import schedule_deletion
from tenants.locks import Lock, find_held
from tenants.models import DeletionReport, Tenant
from tenants.provisioning.life_cycle import provision, register_tenant
from tests.workers import get_test_database_url

PATIENCE = 60  # seconds until the test gives up; nothing is asserted about time
DELETE_AND_HANG = """
import os, sys, time
from pathlib import Path
os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
from django.conf import settings
settings.MEDIA_ROOT = sys.argv[1]
import django
django.setup()
from django.core.files.storage import FileSystemStorage
def hang(storage, name):
    Path(sys.argv[1], "reached").touch()
    time.sleep(600)
FileSystemStorage.delete = hang
from apps.operations.deletion.deleting import delete_due
delete_due(int(sys.argv[2]))
"""


@contextmanager
def stop_at(point):
    """Interrupt before the first statement that holds this text."""
    is_over = []

    def stop(execute, sql, params, many, context):
        if not is_over and point in str(sql):
            is_over.append(True)
            raise KeyboardInterrupt
        return execute(sql, params, many, context)

    with connection.execute_wrapper(stop):
        yield


@pytest.mark.parametrize(
    "point",
    [
        'UPDATE "tenants_tenant"',
        'INSERT INTO "tenants_deletionreport"',
        "DELETE \n",  # the tasks
        "DROP SCHEMA",
        "DROP OWNED",
        "DROP ROLE",
        'DELETE FROM "tenants_domain"',
        'DELETE FROM "tenants_tenant"',
        "SELECT nspname FROM pg_namespace WHERE nspname =",
        'UPDATE "tenants_deletionreport"',
    ],
)
def test_a_deletion_that_was_killed_in_the_database_is_finished_by_running_it_again(
    acme, furnish, point, own_media, schemas
):
    furnish(acme)
    with pytest.raises(KeyboardInterrupt), stop_at(point):
        delete_with_proof(acme)
    half_way = ("acme" in schemas(), Tenant.objects.filter(schema_name="acme").exists())

    call_command("delete_tenant", "acme", "--now", "--noinput", verbosity=0)

    report = DeletionReport.objects.get()
    assert half_way in [(True, True), (False, False)]
    assert report.is_clean
    assert "acme" not in schemas()
    assert not (own_media / "acme").exists()


@pytest.mark.parametrize("number", range(4))
def test_a_deletion_that_was_killed_among_the_files_is_finished_by_its_task(
    acme, furnish, number, monkeypatch, own_media, make_due
):
    furnish(acme)
    schedule_deletion(acme)
    make_due(acme)
    pk, delete, deleted = acme.pk, FileSystemStorage.delete, []

    def delete_some(storage, name):
        if len(deleted) == number:
            raise KeyboardInterrupt
        deleted.append(name)
        delete(storage, name)

    with monkeypatch.context() as patch:
        patch.setattr(FileSystemStorage, "delete", delete_some)
        with pytest.raises(KeyboardInterrupt):
            delete_due(pk)

    (report,) = delete_due(pk)

    assert report.is_clean
    assert not (own_media / "acme").exists()


def test_a_process_that_is_killed_leaves_a_deletion_that_another_finishes(committed, own_media, schemas):
    tenant = committed(register_tenant, name="Initech", subdomain="initech", owner_email="b@initech.example")
    try:
        committed(provision, tenant)
        committed(schedule_deletion, tenant, 0)
        (own_media / "initech").mkdir(parents=True)
        (own_media / "initech" / "plan.txt").touch()
        kill_among_the_files(own_media, tenant.pk)
        after_the_kill = (
            "initech" in schemas(),
            DeletionReport.objects.get(tenant_pk=tenant.pk).proved_at,
            (own_media / "initech" / "plan.txt").exists(),
            find_held(Lock.LIFE_CYCLE, ["initech"]),
        )

        (report,) = committed(delete_due, tenant.pk)

        assert after_the_kill == (False, None, True, set())
        assert report.is_clean
        assert not (own_media / "initech").exists()
    finally:
        committed(clean_up, tenant.pk)


def kill_among_the_files(media, pk):
    environment = os.environ | {"DATABASE_URL": get_test_database_url()}
    command = [sys.executable, "-c", DELETE_AND_HANG, str(media), str(pk)]
    process = subprocess.Popen(command, cwd=project_settings.BASE_DIR, env=environment)
    try:
        deadline = time.monotonic() + PATIENCE
        while not Path(media, "reached").exists():
            assert process.poll() is None, "it ended by itself"
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    while find_held(Lock.LIFE_CYCLE, ["initech"]):  # the server notices it a moment later
        assert time.monotonic() < deadline
        time.sleep(0.05)


def clean_up(pk):
    if tenant := Tenant.objects.filter(pk=pk).first():
        delete_with_proof(tenant)
    DeletionReport.objects.filter(tenant_pk=pk).delete()
