import pytest

from apps.search.documents import Document
from apps.search.indexes.source_objects import Source
from apps.search.providers import get_provider
from apps.search.searching.answering import SearchRequest, answer_documents
from apps.search.searching.results import search_objects
from apps.search.storage.pgvector.ranking.paging import InvalidCursorError
from tenants.context import tenant_context
from tests.models_app.models import Note

pytestmark = pytest.mark.usefixtures("embedder")
MODES = ["semantic", "keyword", "hybrid"]
OBJECTS, CHUNKS = 14, 6


def add_note(title, *texts):
    note = Note.objects.create(title=title, body="b")
    prefix = Source.of(note).prefix
    get_provider("notes").add(Document(f"{prefix}{number}", text) for number, text in enumerate(texts))
    return note


@pytest.fixture
def books(acme):
    """Notes of six chunks each: the first half of them has more of what is searched for."""
    type(acme).objects.filter(pk=acme.pk).update(search_is_public=True)
    with tenant_context(acme):
        for book in range(OBJECTS):
            apples = "apple " * (1 + 3 * (book < OBJECTS // 2))
            add_note(f"book {book}", *(f"{apples} pie {book} {chunk}" for chunk in range(CHUNKS)))
        yield acme


@pytest.fixture
def ask(client, books):
    def ask(path="/api/search", tenant=books, **asked):
        asked = {"q": "apple", "by": "object"} | asked
        return client.get(path, asked, headers={"host": tenant.hostname})

    return ask


def titles(answer):
    return [result.source.title for result in answer.results]


def read_all(after_first=lambda: None, **asked):
    """Return the answers of all pages; `after_first` is called after the first page."""
    answers = [answer_documents(SearchRequest("apple", "notes", **asked))]
    after_first()
    while answers[-1].next:
        assert len(answers) < 100
        answers.append(answer_documents(SearchRequest("apple", "notes", after=answers[-1].next, **asked)))
    return answers


@pytest.mark.parametrize("mode", MODES)
def test_so_many_objects_are_found_as_are_asked_for_however_long_they_are(ask, mode):
    found = ask(mode=mode, limit=10).json()["results"]

    assert len({result["source"]["pk"] for result in found}) == len(found) == 10


@pytest.mark.parametrize("mode", MODES)
def test_the_page_shows_as_many(ask, mode):
    page = ask("/search/", mode=mode, limit=10).content.decode()

    assert page.count("<article>") == 10
    assert "more parts of it found." in page


def test_a_result_says_how_many_more_documents_of_its_object_were_found(ask):
    found = ask(mode="keyword", limit=OBJECTS).json()["results"]

    assert [result["more"] for result in found] == [CHUNKS - 1] * OBJECTS


def test_results_are_documents_unless_objects_are_asked_for(ask):
    found = ask(by="", mode="keyword", limit=10).json()["results"]

    assert len({result["source"]["pk"] for result in found}) < len(found) == 10
    assert {(result["more"], len(result["same"])) for result in found} == {(0, 0)}


def test_what_results_cannot_be_is_refused(ask):
    answer = ask(by="page")

    assert answer.status_code == 422
    assert answer.json()["errors"] == {
        "by": ["Results are not by 'page'. Allowed: document, object."],
    }


def test_objects_with_the_same_text_are_one_result_that_names_them(ask):
    twins = [add_note(f"twin {number}", text) for number, text in enumerate(["Plum cake", "plum   CAKE"])]
    other = add_note("other", "plum cake with cream")

    found = ask(q="plum cake", mode="keyword").json()["results"]

    shown = [(result["source"]["pk"], [same["source"]["pk"] for same in result["same"]]) for result in found]
    assert shown == [(str(twins[0].pk), [str(twins[1].pk)]), (str(other.pk), [])]
    page = ask("/search/", q="plum cake", mode="keyword").content.decode()
    assert "1 more with the same text" in page
    assert f'<a href="{twins[1].get_absolute_url()}">twin 1</a>' in page


@pytest.mark.parametrize("by", ["document", "object"])
@pytest.mark.parametrize("mode", MODES)
def test_pages_list_everything_once_and_in_order(books, mode, by):
    answers = read_all(mode=mode, by=by, limit=5)

    found = [result.document.pk for answer in answers for result in answer.results]
    assert len(set(found)) == len(found) == (OBJECTS if by == "object" else OBJECTS * CHUNKS)
    scores = [result.score for answer in answers for result in answer.results]
    assert scores == sorted(scores, reverse=True)
    assert [len(answer.results) for answer in answers[:-1]] == [5] * (len(answers) - 1)


@pytest.mark.parametrize("mode", ["semantic", "keyword"])
def test_what_is_added_or_deleted_meanwhile_shifts_no_page(books, mode):
    before = read_all(mode=mode, by="object", limit=5)

    def change():
        add_note("new", "apple apple apple apple apple")
        Note.objects.get(title=titles(before[0])[-1]).delete()

    after = read_all(change, mode=mode, by="object", limit=5)

    assert [titles(answer) for answer in after[1:]] == [titles(answer) for answer in before[1:]]


@pytest.mark.parametrize(
    "other",
    [
        {"q": "pie"},
        {"mode": "keyword"},
        {"filter": '{"a": 1}'},
        {"by": "document", "mode": "hybrid"},
        {"cut": True},
    ],
    ids=str,
)
def test_a_cursor_of_another_search_is_refused(ask, other):
    asked = {"mode": "hybrid", "limit": 3}
    cursor = ask(**asked).json()["next"]
    cut = other.pop("cut", False)

    answer = ask(**(asked | other), after=cursor[:-1] if cut else cursor)

    assert answer.status_code == 422
    assert answer.json()["errors"] == {
        "after": ["This is no cursor of this search; use `next` of the page before, and ask the same again."]
    }


def test_a_cursor_of_another_tenant_is_refused(books, globex):
    cursor = answer_documents(SearchRequest("apple", "notes", by="object", limit=3)).next

    with tenant_context(globex), pytest.raises(InvalidCursorError, match="no cursor of this search"):
        answer_documents(SearchRequest("apple", "notes", by="object", limit=3, after=cursor))


def test_the_page_leads_on_to_the_next(ask):
    first = ask("/search/", limit=5).context["answer"]

    page = ask("/search/", limit=5, after=first.next)

    second = page.context["answer"]
    assert not set(titles(first)) & set(titles(second))
    assert "Next results" in page.content.decode()
    assert ask("/search/", limit=5, after="nonsense").status_code == 400


def test_objects_that_are_gone_are_made_up_for(books):
    best = search_objects("apple", "notes", 3, mode="keyword")
    Note.objects.filter(pk__in=[result.source.pk for result in best])._raw_delete("default")

    assert len(search_objects("apple", "notes", 3, mode="keyword")) == 3
