import pytest
from django.core.management import call_command
from django_tasks_db.models import DBTaskResult

from apps.operations.doctor.finding import Level, Scope
from apps.search import get_provider
from apps.search.doctor import check_tenants
from apps.search.documents import Document
from apps.search.indexes.registry import VectorIndex, register, unregister
from apps.search.indexes.sources import CallableSource, Text
from apps.search.indexing.batches import rebuild_index
from apps.search.indexing.set_asides import set_aside
from apps.search.indexing.tasks import start_run
from apps.search.models import IndexRun
from tenants.context import get_current_schema, tenant_context
from tests.models_app.models import Note

pytestmark = pytest.mark.usefixtures("embedder")


def examine(*tenants):
    return list(check_tenants(Scope(list(tenants), is_whole=False)))


def test_a_run_whose_task_waits_is_healthy(acme):
    with tenant_context(acme):
        start_run("notes", "default")

    assert examine(acme) == []


def test_a_run_whose_task_is_gone_is_found_and_goes_on(acme, globex):
    with tenant_context(acme):
        run = start_run("notes", "default")
    DBTaskResult.objects.all().delete()
    with tenant_context(globex):
        start_run("notes", "default")

    (finding,) = examine(acme, globex)

    assert finding.subject == "acme"
    assert finding.message == f"the run {run.pk} through the index 'notes' stands still: its task is gone."
    assert "written" in finding.mend()
    assert examine(acme, globex) == []


def test_what_is_paused_is_no_finding(acme):
    with tenant_context(acme):
        start_run("notes", "default")
        IndexRun.objects.update(state="paused")
    DBTaskResult.objects.all().delete()

    assert examine(acme) == []


def test_objects_set_aside_are_counted_and_nothing_of_them_is_told(acme, globex):
    with tenant_context(acme):
        set_aside("notes.note", ["1", "2"], "default", "secret reason", is_lasting=True)

    (finding,) = examine(acme, globex)

    assert finding.message == "space 'default': 2 objects could not be embedded and are set aside."
    assert "rebuild_index --queue --schema=acme --space=default" in finding.fix
    assert finding.fix.endswith('SELECT * FROM "acme"."search_setaside";')
    assert "secret" not in f"{finding}"


@pytest.fixture
def orphans(acme):
    """Documents of two objects that are gone past Django, beside one of an object and one made by hand."""
    with tenant_context(acme):
        notes = [Note.objects.create(title=title, body="secret body") for title in ("a", "b", "c")]
        rebuild_index("notes")
        get_provider("notes").add([Document("notes.note:by hand", "x"), Document("other:7:0", "x")])
        Note.objects.filter(pk__in=[note.pk for note in notes[1:]])._raw_delete("default")


def test_documents_whose_objects_are_gone_are_found_and_rebuilding_removes_them(acme, globex, orphans):
    DBTaskResult.objects.all().delete()

    (finding,) = examine(acme, globex)
    command, *options = finding.fix.removeprefix("manage.py ").split()
    call_command(command, *options)

    assert (finding.level, finding.subject) == (Level.WARNING, "acme")
    assert finding.message == (
        "space 'default', index 'notes': 2 documents whose objects are gone, or are indexed no more."
    )
    assert "secret" not in f"{finding}"
    assert examine(acme, globex) == []
    with tenant_context(acme):
        assert get_provider("notes").objects.count() == 3


def test_documents_that_a_task_may_yet_remove_are_only_mentioned(acme, orphans):
    (finding,) = examine(acme)

    assert finding.level == Level.INFO


@pytest.fixture
def gaps(acme, embedder):
    """Six notes, of which two lost their documents, one is blank and one is set aside; no task waits."""
    with tenant_context(acme):
        titles = ("a", "b", "c", "d", "", "e")
        notes = [Note.objects.create(title=title, body=title and "secret body") for title in titles]
        rebuild_index("notes")
        provider = get_provider("notes")
        provider.delete([f"notes.note:{note.pk}:0" for note in (notes[1], notes[3], notes[5])])
        set_aside("notes.note", [str(notes[5].pk)], "default", "refused", is_lasting=True)
    DBTaskResult.objects.all().delete()


@pytest.mark.usefixtures("gaps")
def test_objects_without_documents_are_counted_and_rebuilding_makes_them(acme, globex):
    aside, finding = examine(acme, globex)
    command, *options = finding.fix.removeprefix("manage.py ").split()
    call_command(command, *options)

    assert (finding.level, finding.subject) == (Level.WARNING, "acme")
    assert finding.message == "space 'default', index 'notes': 2 objects without documents."
    assert options == ["--schema=acme", "--index=notes", "--space=default"]
    assert "secret" not in f"{finding}"
    assert aside.message == "space 'default': 1 objects could not be embedded and are set aside."
    assert examine(acme, globex) == []
    with tenant_context(acme):
        assert get_provider("notes").objects.count() == 5


@pytest.mark.usefixtures("gaps")
def test_objects_without_documents_are_mended_by_a_worker(acme, globex, run_tasks):
    assert "written" in examine(acme)[1].mend()
    assert [finding.level for finding in examine(acme)] == [Level.WARNING, Level.INFO]

    run_tasks()

    assert examine(acme, globex) == []


def test_texts_and_files_without_documents_are_counted(acme):
    register(
        VectorIndex("faq", [CallableSource("faq", lambda: [Text("a", "x"), Text("b", "y"), Text("c", "")])])
    )
    try:
        (finding,) = examine(acme)
    finally:
        unregister("faq")

    assert finding.message == "space 'default', index 'faq': 2 objects without documents."


def test_an_index_of_which_nothing_is_left_is_found(acme):
    with tenant_context(acme):
        Note.objects.create(title="a", body="b")
    DBTaskResult.objects.all().delete()

    (finding,) = examine(acme)

    assert finding.message == "space 'default', index 'notes': 1 objects without documents."


def test_an_index_that_cannot_be_read_hides_no_other_tenant(acme, globex):
    def read():
        if get_current_schema() == "acme":
            raise KeyError("secret")
        return [Text("a", "x")]

    register(VectorIndex("faq", [CallableSource("faq", read)]))
    try:
        ours, theirs = examine(acme, globex)
    finally:
        unregister("faq")

    assert ours.message == "Its search could not be examined: KeyError."
    assert (ours.level, ours.fix) == (Level.ERROR, "manage.py rebuild_index --schema=acme")
    assert theirs.message == "space 'default', index 'faq': 1 objects without documents."
