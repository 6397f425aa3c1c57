"""An import that ends before its end: what it leaves, and that the next one gets through."""

import os
import signal
import subprocess
import sys
import time
from contextlib import closing, contextmanager

import pytest
from django.conf import settings as project_settings
from django.db import connection
from psycopg.sql import Composable

from apps.operations.bundles.exporting import export_tenant
from apps.operations.bundles.importing import import_tenant
from apps.operations.doctor.examining import examine
from tenants.context import tenant_context
from tenants.locks import Lock
from tenants.models import Domain, Tenant
from tenants.provisioning.life_cycle import provision, register_tenant
from tenants.provisioning.roles import list_roles
from tests.models_app.models import Note
from tests.registry import delete_tenant
from tests.search.embedder import BACKEND
from tests.search.pgvector.filling import fill
from tests.workers import LOCKS_HERE, get_test_database_url

from .conftest import COPY

PATIENCE = 60  # seconds until a test gives up; nothing is asserted about time
INITECH = {"name": "Initech", "subdomain": "initech", "owner_email": "bill@initech.example"}
IMPORT = """
import os, sys
from django.conf import settings
settings.MEDIA_ROOT = sys.argv[1]
settings.EMBEDDINGS = {"default": {"BACKEND": sys.argv[2], "MODEL": "pgvector.PgVectorEmbedding"}}
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", "import_tenant", *sys.argv[3:]])
"""


def refuse_owner(tenant, **kwargs):
    raise LookupError(f"no owner {tenant.owner_email}")


@contextmanager
def stop_before(text):
    """Interrupt, as by Ctrl-C, before the first statement that holds the text."""
    is_over = []

    def stop(execute, sql, params, many, context):
        if not is_over and text in (sql.as_string() if isinstance(sql, Composable) else sql):
            is_over.append(True)
            raise KeyboardInterrupt
        return execute(sql, params, many, context)

    with connection.execute_wrapper(stop):
        yield


@pytest.fixture
def look(schemas, own_media):
    """All that an import could leave."""

    def look():
        files = sorted(str(path) for path in own_media.rglob("*"))
        return schemas(), sorted(list_roles()), Tenant.objects.count(), Domain.objects.count(), files

    return look


@pytest.mark.parametrize(
    "text",
    [
        "CREATE SCHEMA",
        'DELETE FROM "copy"."notes_note"',
        "DROP INDEX",
        'ALTER SEQUENCE "copy"."notes_note_id_seq"',
        "CREATE INDEX",
        "ANALYZE",
        'UPDATE "accounts_apikey"',
        "CREATE ROLE",
        'INSERT INTO "tenants_domain"',
    ],
)
def test_an_import_that_is_interrupted_leaves_nothing_and_can_be_repeated(furnished, tmp_path, look, text):
    with tenant_context(furnished):
        fill(1_100, index_name="notes")  # so many that indexes are made after them
    path = tmp_path / "b.tar.gz"
    export_tenant(furnished, path)
    before = look()

    with pytest.raises(KeyboardInterrupt), stop_before(text):
        import_tenant(path, changes=COPY)
    after = look()
    tenant = import_tenant(path, changes=COPY).tenant

    assert after == before
    assert tenant.state == "active"


def test_an_owner_who_cannot_be_invited_stops_the_import(bundle, owners_made_by, look):
    before = look()
    owners_made_by(refuse_owner)

    with pytest.raises(LookupError, match=r"no owner olga@copy\.example"):
        import_tenant(bundle, changes=COPY | {"owner_email": "olga@copy.example"})

    assert look() == before


def test_a_disk_that_is_full_stops_the_import(bundle, own_media, look):
    (own_media / "copy").write_bytes(b"in the way")  # as good as a full disk: no folder can be made
    before = look()

    with pytest.raises(OSError, match="copy"):
        import_tenant(bundle, changes=COPY)

    assert look() == before


@pytest.fixture
def exported(committed, tmp_path, own_media):
    """A bundle of a tenant that other processes see; what is made of it goes when the test is over."""
    tenant = committed(register_tenant, **INITECH)
    committed(provision, tenant)
    committed(write_note, tenant)
    path = tmp_path / "initech.tar.gz"
    committed(export_tenant, tenant, path)
    yield path
    for left in Tenant.objects.filter(subdomain__in=["initech", "copy"]):
        committed(delete_tenant, left)


def write_note(tenant):
    with tenant_context(tenant):
        Note.objects.bulk_create([Note(title="Bread", body="Flour")])


@pytest.fixture
def start_import(own_media):
    """Run `manage.py import_tenant` as a process of its own."""
    processes = []

    def start(*options):
        command = [sys.executable, "-c", IMPORT, str(own_media), BACKEND, *options]
        environment = os.environ | {"DATABASE_URL": get_test_database_url()}
        process = subprocess.Popen(command, cwd=project_settings.BASE_DIR, env=environment)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()


def wait_until_blocked(cursor, process):
    """Until the process waits for the lock of all that make roles."""
    deadline = time.monotonic() + PATIENCE
    while True:
        cursor.execute(
            f"SELECT count(*) FROM {LOCKS_HERE} WHERE locktype = 'advisory' AND classid = %s AND NOT granted",
            [Lock.ROLES],
        )
        if cursor.fetchone()[0]:
            return
        assert process.poll() is None, "the import ended by itself"
        assert time.monotonic() < deadline, "gave up waiting for the import"
        time.sleep(0.05)


def test_an_import_that_is_killed_is_not_served_and_the_next_one_takes_over(
    exported, start_import, other_session, committed, schemas, client
):
    with closing(other_session), other_session.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, 0)", [Lock.ROLES])  # which the import needs near its end
        process = start_import(str(exported), "--subdomain=copy")
        wait_until_blocked(cursor, process)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()

    left = Tenant.objects.get(subdomain="copy")
    status = client.get("/", headers={"host": left.hostname}).status_code
    committed(make_old, left)
    (finding,) = (each for each in committed(examine, "copy") if each.subject == "copy")
    tenant = committed(import_tenant, exported, changes={"subdomain": "copy"}).tenant

    assert (left.state, left.state_reason) == ("provisioning", "A bundle is being imported.")
    assert status == 404
    assert finding.fix == "manage.py import_tenant, once more"
    assert finding.message.endswith("was cut short.")
    assert (tenant.pk, tenant.schema_name, tenant.state) == (left.pk, left.schema_name, "active")
    assert committed(read_titles, tenant) == ["Bread"]


def read_titles(tenant):
    with tenant_context(tenant):
        return list(Note.objects.values_list("title", flat=True))


def make_old(tenant):
    Tenant.objects.filter(pk=tenant.pk).update(created_at=tenant.created_at.replace(year=2020))


def test_two_imports_to_one_name_make_one_tenant(exported, committed, start_import):
    first, second = (start_import(str(exported), "--subdomain=copy") for _ in range(2))

    codes = sorted(process.wait(PATIENCE) for process in (first, second))

    assert codes == [0, 1]
    assert Tenant.objects.get(subdomain="copy").state == "active"
