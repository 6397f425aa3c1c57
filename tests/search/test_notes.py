import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from apps.search.documents import Document
from apps.search.indexes.registry import VectorIndex, get_noun, register, unregister
from apps.search.indexes.sources import CallableSource, ModelSource
from apps.search.indexing.batches import index_objects
from apps.search.providers import get_provider
from apps.search.searching.answering import SearchRequest, answer_documents, answer_objects
from apps.search.searching.notes import GONE, NO_WORDS, NOT_INDEXED, WEAK, get_weak_below
from tenants.context import tenant_context
from tests.models_app.models import Note

pytestmark = pytest.mark.usefixtures("embedder")
MODES = ("semantic", "keyword", "hybrid")


@pytest.fixture
def fox(acme):
    type(acme).objects.filter(pk=acme.pk).update(search_is_public=True)
    with tenant_context(acme):
        note = Note.objects.create(title="Fox", body="The quick fox jumps")
        index_objects(Note, [note.pk])
        yield note


@pytest.fixture
def set_options(settings):
    def set_options(**options):
        space = settings.EMBEDDINGS["default"] | {"OPTIONS": options}
        settings.EMBEDDINGS = settings.EMBEDDINGS | {"default": space}

    return set_options


def note_of(query="fox", mode="semantic", answer=answer_objects, **asked):
    return answer(SearchRequest(query, "notes", mode=mode, **asked)).note


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("answer", [answer_objects, answer_documents])
def test_a_search_that_finds_something_near_needs_no_note(fox, mode, answer):
    assert note_of(mode=mode, answer=answer) == ""


@pytest.mark.parametrize("mode", MODES)
def test_an_empty_index_is_called_empty(in_acme, mode):
    assert note_of(mode=mode) == NOT_INDEXED.format("note")
    assert note_of(mode=mode, filter={"title": "Fox"}) == NOT_INDEXED.format("note")


@pytest.mark.parametrize("mode", MODES)
def test_a_filter_that_fits_nothing_is_named_beside_documents(fox, mode):
    assert note_of(mode=mode, filter={"title": "Badger"}) == "No note fits the filter."


def test_documents_of_another_tenant_do_not_count(fox, globex):
    with tenant_context(globex):
        assert note_of() == NOT_INDEXED.format("note")


def test_words_that_nothing_holds_are_named_with_the_filter(fox):
    assert note_of("badger", "keyword") == "No note holds these words."
    assert note_of("badger", "keyword", filter={"title": "Fox"}) == (
        "No note that fits the filter holds these words."
    )


@pytest.mark.parametrize("query", ["the of and", "-fox", 'the -"quick fox"', "!?", "---"])
def test_a_query_without_a_word_to_look_for_says_so(fox, query):
    assert note_of(query, "keyword") == NO_WORDS


def test_what_is_gone_before_a_worker_knows_is_called_gone(fox):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM notes_note")

    assert note_of() == GONE


@pytest.mark.parametrize(("weak_below", "note"), [(0.99, WEAK), (None, ""), (0.01, "")])
def test_a_list_without_a_close_match_says_so(fox, set_options, weak_below, note):
    set_options(weak_below=weak_below)

    assert note_of("badger") == note
    assert note_of("the fox", "keyword") == ""


def test_a_hybrid_list_is_weak_if_nothing_holds_a_word_and_nothing_is_near(fox, set_options):
    set_options(weak_below=0.99)

    assert note_of("badger", "hybrid") == WEAK
    assert note_of("the fox", "hybrid") == ""
    set_options(weak_below=0.01)
    assert note_of("badger", "hybrid") == ""


def test_the_space_comes_before_the_embedder_and_only_cosine_counts(in_acme, embedder, set_options):
    provider = get_provider("notes")
    assert get_weak_below(provider) is None

    embedder.weak_below = 0.5
    try:
        assert get_weak_below(provider) == 0.5
        set_options(weak_below=0.25)
        assert get_weak_below(provider) == 0.25
        set_options(weak_below=None)
        assert get_weak_below(provider) is None
    finally:
        del embedder.weak_below


def test_a_bad_threshold_is_named(fox, set_options):
    set_options(weak_below="0.3")

    with pytest.raises(ImproperlyConfigured, match=r"EMBEDDINGS\['default'\]: weak_below is '0.3'"):
        note_of()


def test_page_and_api_tell_the_note(client, acme, fox, set_options):
    set_options(weak_below=0.99)
    asked = {"q": "fox", "filter": '{"title": "Badger"}'}
    weak = client.get("/search/", {"q": "badger"}, headers={"host": acme.hostname}).content.decode()
    page = client.get("/search/", asked, headers={"host": acme.hostname}).content.decode()
    answer = client.get("/api/search", asked, headers={"host": acme.hostname}).json()

    assert f'<p class="quiet" role="note">{WEAK}</p>' in weak
    assert "<p>No note fits the filter.</p>" in page
    assert '<a href="?q=fox">Search without the filter</a>' in page
    assert "indexed" not in page
    assert answer["note"] == "No note fits the filter."


def test_a_later_page_has_no_note(fox, set_options):
    get_provider("notes").add([Document("a", "fox"), Document("b", "fox")])
    first = answer_documents(SearchRequest("fox", "notes", limit=1))
    set_options(weak_below=0.999)

    assert note_of("badger", answer=answer_documents, after=first.next) == ""


def test_what_an_index_has_many_of(in_acme):
    register(VectorIndex("some", [ModelSource(Note, queryset=lambda: Note.objects.all())]))
    register(VectorIndex("mixed", [ModelSource(Note), CallableSource("faq", list)]))
    try:
        assert [get_noun(name) for name in ("notes", "some", "mixed")] == ["note", "note", "document"]
    finally:
        unregister("some")
        unregister("mixed")
