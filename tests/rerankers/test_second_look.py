import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from apps.search.checks import check_rerankers, check_spaces
from apps.search.indexing.batches import index_objects
from apps.search.rerankers.second_look import FAILED, using_reranker
from apps.search.searching.answering import SearchRequest, answer_documents, answer_objects
from tenants.context import tenant_context
from tests.models_app.models import Note
from tests.search.conftest import embedder  # noqa: F401 - a fixture

from .stub_reranker import KEY

pytestmark = pytest.mark.usefixtures("embedder")
ENDPOINT = "apps.search.rerankers.EndpointReranker"
TEXTS = {"Fox": "The quick fox jumps over", "Cat": "A cat sleeps beside a fox", "Tea": "Hot tea for a fox"}
MODES = ["semantic", "keyword", "hybrid"]


@pytest.fixture
def second_look(settings, rerank_server):
    options = {"base_url": rerank_server.url, "model": "stub", "api_key": KEY}
    settings.RERANKERS = {"stub": {"BACKEND": ENDPOINT, "OPTIONS": options, "SECONDS": 10}}
    default = settings.EMBEDDINGS["default"] | {"OPTIONS": {"reranker": "stub"}}
    settings.EMBEDDINGS = settings.EMBEDDINGS | {"default": default}
    return rerank_server


@pytest.fixture
def notes(acme):
    with tenant_context(acme):
        rows = [Note.objects.create(title=title, body=body) for title, body in TEXTS.items()]
        index_objects(Note, [row.pk for row in rows])
        yield rows


def prefer(word):
    def change(results):
        return [each | {"relevance_score": float(each["index"] == word)} for each in results]

    return change


def list_titles(answer):
    return [result.document.metadata["title"] for result in answer.results]


@pytest.mark.parametrize("answer", [answer_documents, answer_objects])
@pytest.mark.parametrize("mode", MODES)
def test_the_reranker_has_the_last_word_in_every_mode(notes, second_look, mode, answer):
    asked = SearchRequest("fox", "notes", limit=3, mode=mode)
    with using_reranker(""):
        plain = list_titles(answer(asked))
    second_look.answer_results(prefer(2))

    found = answer(asked)

    assert list_titles(found) == [plain[2], plain[0], plain[1]]
    assert found.note == ""


def test_more_is_looked_at_than_is_shown(notes, second_look):
    asked = SearchRequest("fox", "notes", limit=1, mode="hybrid")
    second_look.answer_results(prefer(2))

    assert len(answer_documents(asked).results) == 1
    assert len(second_look.requests[0]["documents"]) == 3


def test_only_the_window_is_looked_at_and_the_rest_follows_in_its_order(notes, second_look, settings):
    settings.RERANKERS = {"stub": settings.RERANKERS["stub"] | {"WINDOW": 2}}
    with using_reranker(""):
        plain = list_titles(answer_documents(SearchRequest("fox", "notes", mode="keyword")))
    second_look.answer_results(prefer(1))

    found = answer_documents(SearchRequest("fox", "notes", mode="keyword"))

    assert list_titles(found) == [plain[1], plain[0], plain[2]]
    assert len(second_look.requests[0]["documents"]) == 2


def test_pages_of_a_search_by_meaning_lose_nothing_and_show_nothing_twice(notes, second_look):
    first = answer_documents(SearchRequest("fox", "notes", limit=2))
    second = answer_documents(SearchRequest("fox", "notes", limit=2, after=first.next))

    assert sorted([*list_titles(first), *list_titles(second)]) == sorted(TEXTS)
    assert [len(request["documents"]) for request in second_look.requests] == [2, 1]


@pytest.mark.parametrize(
    "break_it",
    [
        lambda server: server.fail(500),
        lambda server: server.answer_results(lambda results: results[:1]),
        lambda server: server.answer_results(lambda r: [e | {"relevance_score": float("nan")} for e in r]),
    ],
    ids=["status 500", "too few", "NaN"],
)
def test_a_reranker_that_fails_leaves_the_order_and_the_answer_says_so(notes, second_look, break_it, caplog):
    asked = SearchRequest("fox", "notes", mode="hybrid")
    with using_reranker(""):
        plain = list_titles(answer_documents(asked))
    break_it(second_look)

    found = answer_documents(asked)

    assert list_titles(found) == plain
    assert (found.note, found.degraded) == (FAILED, "")
    assert "The reranker stub failed." in caplog.text
    assert KEY not in caplog.text


def test_a_reranker_that_takes_too_long_leaves_the_order(notes, second_look, settings):
    settings.RERANKERS = {"stub": settings.RERANKERS["stub"] | {"SECONDS": 0.2}}
    second_look.be_slow(60)

    assert answer_documents(SearchRequest("fox", "notes", mode="keyword")).note == FAILED


def test_what_a_query_excludes_is_not_asked_for(notes, second_look):
    found = answer_documents(SearchRequest('"a fox" -cat', "notes", mode="hybrid"))

    assert list_titles(found)[0] == "Tea"
    assert second_look.requests[0]["query"] == "a fox"


def test_another_tenants_texts_are_never_sent(notes, second_look, globex):
    with tenant_context(globex):
        row = Note.objects.create(title="Owl", body="An owl sees a fox")
        index_objects(Note, [row.pk])
        found = answer_documents(SearchRequest("fox", "notes", mode="hybrid"))

    assert list_titles(found) == ["Owl"]
    assert [len(request["documents"]) for request in second_look.requests] == [1]
    assert "owl" in second_look.requests[0]["documents"][0]


def test_the_light_reranker_looks_at_vectors_and_words(notes, settings):
    settings.RERANKERS = {"light": {"BACKEND": "apps.search.rerankers.LightReranker"}}

    with using_reranker("light"):
        found = answer_documents(SearchRequest("tea for a", "notes", mode="hybrid"))

    assert list_titles(found)[0] == "Tea"
    assert found.note == ""


def test_an_explanation_has_both_ranks_the_time_and_the_fault(client, acme, notes, second_look):
    member = get_user_model().objects.create_user("m@example.com", "correct horse 7")
    member.user_permissions.add(Permission.objects.get(codename="view_pgvectorembedding"))
    client.force_login(member)
    asked, headers = {"q": "fox", "mode": "keyword", "explain": "true"}, {"host": acme.hostname}
    second_look.answer_results(prefer(2))

    answer = client.get("/api/search", asked, headers=headers).json()
    second_look.answer_results(prefer(2))
    page = client.get("/search/", asked, headers=headers).content.decode()
    second_look.fail(500)
    failed = client.get("/api/search", asked, headers=headers).json()

    assert [each["explanation"]["first_rank"] for each in answer["results"]] == [3, 1, 2]
    assert answer["explanation"]["reranker"] == "stub"
    assert answer["explanation"]["reranker_fault"] == ""
    assert answer["explanation"]["milliseconds"]["rerank"] > 0
    assert "<dt>Before the second look</dt><dd>number 3</dd>" in page
    assert "second look (stub)" in page
    assert "status 500" in failed["explanation"]["reranker_fault"]
    assert failed["note"] == FAILED


def test_without_a_reranker_nothing_is_asked(notes, rerank_server):
    found = answer_documents(SearchRequest("fox", "notes", mode="hybrid"))

    assert len(found.results) == 3
    assert rerank_server.requests == []


@pytest.mark.parametrize(
    ("rerankers", "message"),
    [
        ([], "RERANKERS must be a dict of aliases"),
        ({"a": {"BACKEND": "apps.gone"}}, "RERANKERS['a']: BACKEND 'apps.gone' cannot be imported"),
        (
            {"a": {"BACKEND": ENDPOINT}},
            "RERANKERS['a']: EndpointReranker requires the option(s) base_url, model",
        ),
        ({"a": {"MODEL": 1}}, "RERANKERS['a']: unknown key 'MODEL'; allowed are: BACKEND, OPTIONS, WINDOW"),
        (
            {"a": {"BACKEND": "apps.search.rerankers.LightReranker", "WINDOW": 1}},
            "WINDOW must be a whole number",
        ),
        (
            {"a": {"BACKEND": "apps.search.rerankers.LightReranker", "SECONDS": 0}},
            "SECONDS must be a positive",
        ),
    ],
)
def test_an_entry_that_cannot_work_is_a_system_check(settings, rerankers, message):
    settings.RERANKERS = rerankers

    found = check_rerankers()

    assert [each.id for each in found] == ["search.E010"]
    assert message in found[0].msg


def test_a_space_that_names_an_unknown_reranker_is_a_system_check(settings):
    default = settings.EMBEDDINGS["default"] | {"OPTIONS": {"reranker": "gone"}}
    settings.EMBEDDINGS = settings.EMBEDDINGS | {"default": default}
    settings.RERANKERS = {}

    messages = [each.msg for each in check_spaces()]

    expected = "reranker: RERANKERS['gone']: unknown alias; known are: none."
    assert messages == [f"EMBEDDINGS['default']: {expected}"]
