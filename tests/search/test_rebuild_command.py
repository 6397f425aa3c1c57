from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.management import CommandError, call_command

from apps.search import get_provider
from apps.search.indexing.runs import work_on
from apps.search.models import IndexRun
from tenants.context import connection, tenant_context
from tenants.management.tenants import each_tenant
from tenants.models import Tenant
from tests.models_app.models import Note, NoteEmbedding

pytestmark = pytest.mark.usefixtures("embedder")


@pytest.fixture
def notes(acme, globex):
    for tenant in (acme, globex):
        with tenant_context(tenant):
            Note.objects.bulk_create([Note(title=f"of {tenant}", body="text")])


def indexed(tenant):
    with tenant_context(tenant):
        return list(get_provider("notes").objects.values_list("metadata__title", flat=True))


@pytest.mark.usefixtures("notes")
def test_one_schema_is_rebuilt(acme, globex, capsys):
    call_command("rebuild_index", schema="acme")

    assert "acme: index notes: 1 documents changed" in capsys.readouterr().out
    assert (indexed(acme), indexed(globex)) == (["of Acme"], [])


@pytest.mark.usefixtures("notes")
def test_all_active_tenants_are_rebuilt(acme, globex, capsys):
    call_command("rebuild_index", all=True)
    call_command("rebuild_index", all=True)

    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "globex: index notes" in line] == [
        "globex: index notes: 1 documents changed",
        "globex: index notes: 0 documents changed",
    ]
    assert (indexed(acme), indexed(globex)) == (["of Acme"], ["of Globex"])


@pytest.mark.usefixtures("notes")
def test_a_tenant_whose_space_is_gone_stops_no_other(acme, globex):
    Tenant.objects.filter(pk=acme.pk).update(space="gone")

    with pytest.raises(CommandError, match=r"^acme: --space: EMBEDDINGS\['gone'\]: there is no such alias"):
        call_command("rebuild_index", all=True)

    assert indexed(globex) == ["of Globex"]


@pytest.mark.usefixtures("notes")
def test_another_space_can_be_filled_before_a_tenant_is_switched(acme):
    call_command("rebuild_index", schema="acme", index="notes", space="custom")

    assert indexed(acme) == []
    with tenant_context(acme):
        assert NoteEmbedding.objects.get().space == "custom"


@pytest.mark.parametrize("schema", ["nowhere", "public", "suspended"])
def test_unknown_or_inactive_schema_is_refused(db, schema):
    Tenant.objects.filter(schema_name="globex").update(state="suspended", schema_name="suspended")

    with pytest.raises(CommandError, match=f"^--schema: no active tenant has the schema '{schema}'"):
        call_command("rebuild_index", schema=schema)


def test_neither_or_both_of_schema_and_all_are_refused(db):
    with pytest.raises(CommandError, match="one of the arguments --schema --all is required"):
        call_command("rebuild_index")
    with pytest.raises(CommandError, match="not allowed with"):
        call_command("rebuild_index", "--all", "--schema=acme")


def test_unknown_index_is_refused(db):
    with pytest.raises(
        CommandError, match=r"^--index: There is no index 'books'. Known indexes: .*\bnotes\b"
    ):
        call_command("rebuild_index", schema="acme", index="books")


def test_unknown_space_is_refused(db):
    with pytest.raises(
        CommandError, match=r"^--space: EMBEDDINGS\['nope'\]: there is no such alias. Known al"
    ):
        call_command("rebuild_index", schema="acme", space="nope")


@pytest.mark.usefixtures("notes")
def test_queued_a_worker_does_it(acme, capsys):
    call_command("rebuild_index", schema="acme", index="notes", queue=True)

    assert "notes into default: running" in capsys.readouterr().out
    assert indexed(acme) == []
    with tenant_context(acme):
        run = IndexRun.objects.get()
        work_on(run)
    assert indexed(acme) == ["of Acme"]


def test_workers_fill_no_space_that_the_tenant_does_not_write_to(acme):
    with pytest.raises(CommandError, match="--space: acme writes to default; workers fill no other space"):
        call_command("rebuild_index", schema="acme", queue=True, space="other")


def test_a_command_over_many_tenants_keeps_no_session_that_knows_them_all(acme, globex, settings):
    settings.TENANT_SCHEMAS_PER_CONNECTION = 1

    def list_sessions():
        try:
            return [{read_pid() for _ in each_tenant({"schema": None})} for _ in range(2)]
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as thread:
        first, second = thread.submit(list_sessions).result(timeout=120)

    assert first.isdisjoint(second)


def read_pid():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


@pytest.mark.usefixtures("notes")
def test_index_work_is_recorded(deeds):
    here = deeds(lambda: call_command("rebuild_index", schema="acme", index="notes"))
    queued = deeds(lambda: call_command("rebuild_index", schema="acme", index="notes", queue=True))

    assert [line.partition(" what=")[2] for line in (*here, *queued)] == [
        '"rebuild index" whose=acme on=notes documents=1',
        "index whose=acme on=notes/default",
    ]
