import pytest
from django.db.models import Q

from apps.search.documents import Document
from apps.search.indexing.batches import index_objects
from apps.search.searching.answering import SearchRequest, answer_documents, answer_objects
from apps.search.searching.hybrid import MODES, search_by_mode
from apps.search.searching.notes import PHRASE_MISSING, PHRASE_RARE
from apps.search.storage.pgvector import PgVectorProvider
from apps.search.storage.pgvector.keywords.conditions import get_meant, without_phrases
from tenants.context import tenant_context
from tests.models_app.models import Note

pytestmark = pytest.mark.usefixtures("embedder")

TEXTS = {
    "cats": "Cats sleep all day",
    "both": "Cats and dogs sleep",
    "dogs": "Dogs bark at night",
    "whale": "The blue whale dives",
    "mixed": "A whale in the blue",
}


@pytest.fixture
def provider(in_acme):
    provider = PgVectorProvider()
    provider.add(Document(key, text, {"long": len(text) > 18}) for key, text in TEXTS.items())
    return provider


def keys(rows):
    return {row.document_key for row in rows}


@pytest.mark.parametrize("mode", MODES)
def test_what_is_excluded_is_not_found_in_any_mode(provider, mode):
    found = keys(search_by_mode(provider, "cats -dogs", mode))

    assert "cats" in found
    assert not found & {"both", "dogs"}


@pytest.mark.parametrize("mode", MODES)
def test_a_phrase_must_be_there_in_every_mode(provider, mode):
    assert keys(search_by_mode(provider, '"blue whale"', mode)) == {"whale"}
    assert "whale" not in keys(search_by_mode(provider, 'cats dogs whale -"blue whale"', mode))


@pytest.mark.parametrize("mode", MODES)
def test_conditions_hold_beside_a_filter(provider, mode):
    found = search_by_mode(provider, "sleep cats -bark", mode, filter_q=Q(metadata__long=True))

    assert {"both"} <= keys(found) <= {"both", "whale", "mixed"}


@pytest.mark.parametrize("mode", MODES)
def test_conditions_hold_for_rows_whose_words_wait(provider, mode, settings):
    settings.PGVECTOR = {"BULK_ROWS": 1}
    provider.add([Document("w1", "Cats wait"), Document("w2", "Cats and dogs wait")])

    found = keys(search_by_mode(provider, "cats -dogs", mode))

    assert provider.objects.filter(keyword_recipe="pending").count() == 2
    assert "w1" in found
    assert "w2" not in found


@pytest.mark.parametrize("mode", MODES)
def test_words_of_another_tenant_are_no_condition_here(provider, globex, mode):
    with tenant_context(globex):
        PgVectorProvider().add([Document("cats", "Cats and dogs"), Document("g", "blue whale")])

    assert "cats" in keys(search_by_mode(provider, "cats -dogs", mode))
    assert keys(search_by_mode(provider, '"blue whale"', mode)) == {"whale"}


@pytest.mark.parametrize("mode", MODES)
def test_conditions_are_in_the_language_of_the_providers_tenant(acme, globex, provider, monkeypatch, mode):
    monkeypatch.setattr(globex, "search_language", "simple")
    with tenant_context(globex):
        # "dog" is another form of "dogs" in English only.
        found = keys(search_by_mode(PgVectorProvider(tenant=acme), "cats -dog", mode))

    assert "cats" in found
    assert "both" not in found


@pytest.mark.parametrize("mode", ["semantic", "hybrid"])
def test_what_is_excluded_is_not_embedded(provider, embedder, mode):
    list(search_by_mode(provider, 'cats -dogs -"wet noses"', mode))

    assert embedder.embedded[-1] == "cats"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("cats  and dogs", "cats  and dogs"),
        ("cats -dogs", "cats"),
        ('the “blue whale” -"sperm whale" dives', "the  blue whale  dives"),
        ("git --amend", "git --amend"),
        ("-dogs", "-dogs"),
        ("Apollo - a story", "Apollo - a story"),
    ],
)
def test_what_is_meant_is_the_text_without_its_operators(text, meant):
    assert get_meant(text).split() == meant.split()


@pytest.mark.parametrize(
    ("text", "looser"),
    [
        ("cats -dogs", "cats -dogs"),
        ('the "blue whale" dives -cats -"wet noses"', 'the blue whale dives -"cats" -"wet noses"'),
        ('"one" or "two"', "one or two"),
    ],
)
def test_a_text_without_its_phrases_keeps_what_it_excludes(text, looser):
    assert without_phrases(text).split() == looser.split()


@pytest.fixture
def notes(acme):
    type(acme).objects.filter(pk=acme.pk).update(search_is_public=True)
    with tenant_context(acme):
        made = [Note.objects.create(title=key, body=text) for key, text in TEXTS.items()]
        index_objects(Note, [note.pk for note in made])
        yield made


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("answer", [answer_objects, answer_documents])
def test_a_rare_phrase_lets_others_follow_and_says_so(notes, mode, answer):
    found = answer(SearchRequest('about a "blue whale"', "notes", mode=mode))

    titles = [result.title for result in found.results]
    assert found.note == PHRASE_RARE
    assert {"whale", "mixed"} <= set(titles)
    assert [result.title for result in found.results if not result.lacks_phrase] == ["whale"]
    if answer is answer_objects:
        assert titles[0] == "whale"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("answer", [answer_objects, answer_documents])
def test_a_title_with_quotes_and_a_dash_is_found_by_its_words(notes, mode, answer):
    found = answer(SearchRequest("“Whale blue” - the story", "notes", mode=mode))

    assert found.note == PHRASE_MISSING
    assert {result.title for result in found.results} >= {"whale", "mixed"}


@pytest.mark.parametrize("mode", MODES)
def test_exclusions_bind_beside_a_phrase_that_nothing_holds(notes, mode):
    found = answer_objects(SearchRequest('"sleep cats" -dogs', "notes", mode=mode))

    assert found.note == PHRASE_MISSING
    assert "cats" in {result.title for result in found.results}
    assert not {"both", "dogs"} & {result.title for result in found.results}


def test_a_phrase_that_ten_hold_lets_nothing_else_in(in_acme):
    for number in range(10):
        Note.objects.create(title=f"n{number}", body=f"the blue whale, number {number}")
    Note.objects.create(title="other", body="whale of blue")
    index_objects(Note, list(Note.objects.values_list("pk", flat=True)))

    for answer in (answer_objects, answer_documents):
        for mode in MODES:
            found = answer(SearchRequest('"blue whale"', "notes", mode=mode, limit=20))

            assert (len(found.results), found.note) == (10, "")


def test_pages_by_meaning_agree_about_a_rare_phrase(notes):
    asked = SearchRequest('"blue whale"', "notes", limit=2)
    first = answer_documents(asked)
    second = answer_documents(SearchRequest('"blue whale"', "notes", limit=2, after=first.next))

    titles = [result.title for result in (*first.results, *second.results)]
    assert len(titles) == len(set(titles)) == 4


def test_page_and_api_say_that_the_phrase_was_left_out(notes, acme, client):
    asked = {"q": 'a "whale blue"', "mode": "hybrid"}

    page = client.get("/search/", asked, headers={"host": acme.hostname}).content.decode()
    answer = client.get("/api/search", asked, headers={"host": acme.hostname}).json()

    assert PHRASE_MISSING in page
    assert answer["note"] == PHRASE_MISSING
