import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django_tasks_db.models import DBTaskResult

from apps.search import get_provider
from apps.search.documents import Document
from apps.search.indexes import registry as indexes
from apps.search.indexes.registry import VectorIndex, get_index_names, register, unregister
from apps.search.indexes.sources import CallableSource, FileSource, ModelSource, Text, get_sources
from apps.search.indexing.batches import count_objects, rebuild_index
from apps.search.indexing.runs import work_on
from apps.search.indexing.tasks import start_run
from apps.search.models import IndexRun
from apps.search.searching.results import search_objects
from tenants.context import tenant_context
from tests.models_app.models import Note
from tests.search.work import run_tasks

pytestmark = pytest.mark.usefixtures("embedder", "in_acme", "as_owner")


@pytest.fixture
def questions():
    return {"why": "red apples", "how": "green pears"}


@pytest.fixture
def handbook(questions):
    def read():
        for key, content in questions.items():
            yield Text(key, content, {"title": key.title(), "url": f"/faq#{key}"})

    def get_published():
        return Note.objects.filter(source="handbook")

    yield register(
        VectorIndex(
            "handbook",
            [
                ModelSource(Note, queryset=get_published, metadata=lambda obj: {"of": "handbook"}),
                CallableSource("faq", read),
                FileSource("guides", "guides/*.md"),
            ],
        )
    )
    unregister("handbook")


def keys(index_name="handbook", space=None):
    rows = get_provider(index_name, space=space).objects.order_by("document_key")
    return list(rows.values_list("document_key", flat=True))


def make(title, source="handbook"):
    return Note.objects.create(title=title, body="body", source=source)


def write_file(path, text):
    default_storage.save(path, ContentFile(text.encode()))


@pytest.mark.usefixtures("handbook")
def test_an_index_is_made_of_objects_texts_and_files():
    note = make("title")
    make("elsewhere", source="blog")
    write_file("guides/install.md", "# Install\n\nblue plums")
    write_file("guides/logo.txt", "no guide")

    rebuild_index("handbook")

    assert {"handbook", "notes"} <= set(get_index_names())
    made = ["faq:how:0", "faq:why:0", "guides:guides%2Finstall.md:0", f"notes.note:{note.pk}:0"]
    assert keys() == made
    assert count_objects("handbook") == 4
    row = get_provider("handbook").objects.get(document_key__startswith="guides")
    assert row.metadata == {"headings": ["Install"], "path": "guides/install.md", "title": "Install"}


@pytest.mark.usefixtures("handbook")
def test_a_file_is_read_as_an_import_reads_it():
    front = "---\r\ntitle: >-\r\n  The first\r\n  guide\r\ntags:\r\n- x\r\n---\r\n"
    write_file("guides/a.md", f"\ufeff{front}blue plums")
    write_file("guides/b.md", "\ufeff# Install\n\nblue plums")
    write_file("guides/c.md", "- # in a list")

    rebuild_index("handbook")

    rows = get_provider("handbook").objects.filter(document_key__startswith="guides").order_by("document_key")
    assert [(row.metadata["title"], row.metadata.get("headings"), row.content) for row in rows] == [
        ("The first guide", None, "The first guide\n\nblue plums"),
        ("Install", ["Install"], "Install\n\nblue plums"),
        ("c.md", None, "- # in a list"),
    ]


@pytest.mark.usefixtures("handbook")
def test_a_save_goes_into_every_index_that_the_object_is_in():
    note = make("title")
    run_tasks()
    assert (len(keys("notes")), len(keys("handbook"))) == (1, 1)

    note.source = "blog"
    note.save()
    run_tasks()
    assert (len(keys("notes")), len(keys("handbook"))) == (1, 0)

    note.delete()
    run_tasks()
    assert keys("notes") == []


@pytest.mark.usefixtures("handbook")
def test_an_index_keeps_its_own_metadata_of_an_object():
    make("title")
    run_tasks()

    (of_handbook,) = get_provider("handbook").objects.all()
    (of_notes,) = get_provider("notes").objects.all()

    assert (of_handbook.metadata, of_notes.metadata["title"]) == ({"of": "handbook"}, "title")


@pytest.mark.usefixtures("handbook")
def test_texts_that_are_gone_or_changed_follow_at_the_next_rebuilding(questions, embedder):
    rebuild_index("handbook")
    embedder.embedded.clear()

    del questions["how"]
    questions["why"] = "red cherries"
    rebuild_index("handbook")

    assert (keys(), embedder.embedded) == (["faq:why:0"], ["red cherries"])
    assert rebuild_index("handbook") == 0


@pytest.mark.usefixtures("handbook")
def test_a_text_is_found_with_its_title_and_address():
    rebuild_index("handbook")

    result = search_objects("red apples", "handbook", 5)[0]

    assert (result.source, result.title, result.url) == (None, "Why", "/faq#why")


def test_an_address_that_is_no_address_is_not_linked():
    get_provider("notes").add([Document("a", "red apples", {"url": "javascript:alert(1)"})])

    assert search_objects("red apples", "notes", 5)[0].url == ""


@pytest.mark.usefixtures("handbook")
def test_a_run_goes_on_within_the_texts_where_it_stopped(questions, embedder):
    questions.update({f"q{number}": f"text {number}" for number in range(70)})
    run = start_run("handbook", "default")

    work_on(run, seconds=0)
    run.refresh_from_db()
    assert run.position == ["faq", 32]
    work_on(run)

    run.refresh_from_db()
    assert (run.state, run.objects_done, len(keys())) == (IndexRun.State.DONE, 72, 72)
    assert len(embedder.embedded) == 72


@pytest.mark.usefixtures("handbook")
def test_another_tenant_has_none_of_it(globex):
    write_file("guides/install.md", "ours")
    make("ours")
    rebuild_index("handbook")

    with tenant_context(globex):
        rebuild_index("handbook")
        assert keys() == ["faq:how:0", "faq:why:0"]


@pytest.mark.usefixtures("handbook")
def test_a_text_of_a_source_that_was_taken_out_goes_with_the_next_rebuilding():
    rebuild_index("handbook")
    get_provider("notes").add([Document("faq:stray:0", "text"), Document("by hand", "text")])

    rebuild_index("notes")

    assert keys("notes") == ["by hand"]


def test_a_name_or_a_label_twice_is_refused(handbook):
    with pytest.raises(ImproperlyConfigured, match="VectorIndex 'handbook': there is an index of that name"):
        register(handbook)
    twice = VectorIndex("other", [CallableSource("faq", list), CallableSource("faq", list)])
    with pytest.raises(ImproperlyConfigured, match="VectorIndex 'other': several sources are called 'faq'"):
        register(twice)


@pytest.mark.parametrize("label", ["", "app.model", "a:b"])
def test_a_label_that_could_be_taken_for_a_models_is_refused(label):
    with pytest.raises(ValueError, match="allowed: a name without dots and colons"):
        CallableSource(label, list)


def test_a_model_that_names_its_index_is_a_source_of_it():
    (source,) = get_sources("notes")

    assert (source.model, source.label) == (Note, "notes.note")
    assert not DBTaskResult.objects.exists()


@pytest.mark.parametrize(
    ("names", "default"), [(["notes", "books"], "notes"), (["books", "notes"], "books"), ([], "")]
)
def test_the_index_that_is_searched_when_none_is_named(settings, monkeypatch, names, default):
    settings.SEARCH_DEFAULT_INDEX = None
    monkeypatch.setattr(indexes, "get_index_names", lambda: names)

    assert indexes.get_default_index() == default


def test_the_settings_may_name_the_index_that_is_searched_when_none_is_named(settings):
    settings.SEARCH_DEFAULT_INDEX = "poems"

    assert indexes.get_default_index() == "poems"
