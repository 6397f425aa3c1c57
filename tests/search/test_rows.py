import pytest

from apps.operations.doctor.finding import Scope
from apps.search import get_provider
from apps.search.checks import check_rows
from apps.search.doctor import check_tenants
from apps.search.documents import Document
from apps.search.indexes.registry import VectorIndex, get_indexed_models, register, unregister
from apps.search.indexes.source_objects import Source
from apps.search.indexes.sources import ModelSource
from apps.search.indexing import signals
from apps.search.indexing.batches import count_objects, rebuild_index
from apps.search.searching.results import find_similar, search_objects
from tenants.context import tenant_context
from tests.models_app.models import Note
from tests.search.work import run_tasks

pytestmark = pytest.mark.usefixtures("embedder", "as_owner")


@pytest.fixture
def rows(settings, make_table, in_acme):
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "tests.rows_app"]
    from tests.rows_app import models

    for model in (models.LongNote, models.Recipe, models.Person, models.Detached):
        make_table(model)
    signals.connect()
    return models


def contents(index_name="notes"):
    documents = get_provider(index_name).objects.order_by("document_key")
    return {key: text.replace("\n\n", " ") for key, text in documents.values_list("document_key", "content")}


def test_a_row_is_indexed_once_whatever_models_it_has(rows):
    note = rows.PinnedNote.objects.create(title="red", body="apples")
    run_tasks()
    rebuild_index("notes")

    assert contents() == {f"notes.note:{note.pk}:0": "red apples"}
    assert count_objects("notes") == 1
    assert get_indexed_models("notes") == [Note]


@pytest.mark.parametrize("name", ["PinnedNote", "LongNote"])
def test_what_is_saved_or_deleted_by_another_name_is_up_to_date(rows, name):
    model = getattr(rows, name)
    note = model.objects.create(title="red", body="apples")
    run_tasks()

    for writer in (Note, model):
        changed = writer.objects.get(pk=note.pk)
        changed.title = writer.__name__
        changed.save()
        run_tasks()
        assert contents() == {f"notes.note:{note.pk}:0": f"{writer.__name__} apples"}

    model.objects.get(pk=note.pk).delete()
    run_tasks()
    assert contents() == {}


def test_a_child_model_says_what_is_indexed(rows):
    note = rows.LongNote.objects.create(title="red", body="apples", appendix="and more")
    run_tasks()
    assert contents() == {f"notes.note:{note.pk}:0": "red apples and more"}

    pk = note.pk
    note.delete(keep_parents=True)
    run_tasks()
    assert contents() == {f"notes.note:{pk}:0": "red apples"}


def test_a_child_model_with_its_own_index_is_in_both(rows):
    recipe = rows.Recipe.objects.create(title="pie", body="sweet", steps="bake")
    run_tasks()
    assert contents() == {f"notes.note:{recipe.pk}:0": "pie sweet"}
    assert contents("recipes") == {f"tests_rows.recipe:{recipe.pk}:0": "pie bake"}

    note = Note.objects.get(pk=recipe.pk)
    note.title = "tart"
    note.save()
    run_tasks()
    assert list(contents("recipes").values()) == ["tart bake"]

    note.delete()
    run_tasks()
    assert contents() == contents("recipes") == {}


def test_a_row_of_a_model_that_is_not_indexed_itself_follows_its_proxy(rows):
    person = rows.Person.objects.create(name="Ada")
    run_tasks()
    assert contents("people") == {f"tests_rows.searchableperson:{person.pk}:0": "Ada"}

    rows.Person.objects.all().delete()
    run_tasks()
    assert contents("people") == {}


def test_a_source_of_a_proxy_follows_the_saves_of_its_model(rows):
    register(VectorIndex("pins", [ModelSource(rows.PinnedNote)]))
    try:
        note = Note.objects.create(title="red", body="apples")
        run_tasks()
        assert contents("pins") == {f"tests_rows.pinnednote:{note.pk}:0": "red apples"}

        note.delete()
        run_tasks()
        assert contents("pins") == {}
    finally:
        unregister("pins")


def test_an_object_is_found_and_finds_others_by_any_name(rows):
    one, other = (rows.PinnedNote.objects.create(title=f"red {name}", body="apples") for name in "ab")
    run_tasks()

    assert Source.of(one) == Source.of(Note(pk=one.pk))
    assert [result.source.pk for result in find_similar(one, 5)] == [other.pk]
    assert {result.source.pk for result in search_objects("red", "notes", 5)} == {one.pk, other.pk}


def test_documents_from_when_a_row_was_indexed_twice_go_with_a_rebuilding(rows, in_acme):
    note = Note.objects.create(title="red", body="apples")
    run_tasks()
    get_provider("notes").add([Document(f"tests_rows.pinnednote:{note.pk}:0", "red apples")])

    (finding,) = check_tenants(Scope([in_acme], is_whole=False))
    assert "1 documents whose objects are gone, or are indexed no more" in finding.message
    rebuild_index("notes")

    assert list(contents()) == [f"notes.note:{note.pk}:0"]


def test_another_tenant_has_none_of_it(rows, globex):
    rows.LongNote.objects.create(title="ours", body="b")
    run_tasks()

    with tenant_context(globex):
        assert contents() == {}


def test_an_indexed_child_with_another_key_is_refused(rows):
    (error,) = check_rows()

    assert error.id == "search.E009"
    assert error.msg == ("tests_rows.Detached extends notes.Note, which is Indexed, but has another key.")
