import socket

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import connection

from apps.search.embedders import configured
from apps.search.indexing.batches import rebuild_index
from apps.search.searching.answering import LATER, REASON
from apps.search.storage.pgvector.searching.query_vectors import forget_query_vectors
from tenants.context import owner_rights, tenant_context, unbound
from tenants.models import Tenant
from tests.embedders.stub_server import DIMENSIONS
from tests.models_app.models import Note
from tests.registry import make_public
from tests.search_own_spaces.conftest import KEY

AT_ACME = {"host": "acme.localhost"}
BACKEND = "apps.search.embedders.OpenAICompatibleEmbedder"


@pytest.fixture
def served(acme, make_space):
    """acme with public search, served by its own space, with two notes."""
    make_public(acme)
    with tenant_context(acme):
        make_space()
        for title, body in (("Tides", "The moon pulls at the water."), ("Bread", "Knead the dough.")):
            Note.objects.create(title=title, body=body)
        rebuild_index("notes", space="own-stub")
    with unbound():
        Tenant.objects.filter(pk=acme.pk).update(space="own-stub")
    return acme


def search(client, path="/api/search", headers=AT_ACME, **parameters):
    return client.get(path, {"q": "moon", **parameters}, headers=headers)


def titles_of(response):
    return [result["source"]["title"] for result in response.json()["results"]]


@pytest.mark.parametrize("mode", ["semantic", "hybrid", "keyword"])
def test_while_the_endpoint_answers_nothing_is_degraded(client, served, mode):
    answer = search(client, mode=mode).json()

    assert (answer["mode"], answer["mode_used"], answer["degraded"]) == (mode, mode, None)
    assert answer["space"] == "own-stub"


@pytest.mark.parametrize("mode", ["semantic", "hybrid"])
@pytest.mark.parametrize("status", [500, 401, 429])
def test_while_the_endpoint_is_down_the_api_finds_by_words_and_says_so(
    client, served, stub_server, mode, status
):
    stub_server.fail(status, "a secret of the service's", retry_after="60")

    response = search(client, mode=mode)

    answer = response.json()
    assert response.status_code == 200
    assert (answer["mode"], answer["mode_used"], answer["degraded"]) == (mode, "keyword", REASON)
    assert titles_of(response) == ["Tides"]
    assert answer["next"] is None
    assert "secret" not in response.content.decode()
    assert stub_server.url not in response.content.decode()


@pytest.mark.parametrize("mode", ["semantic", "hybrid"])
def test_the_page_finds_by_words_and_says_so(client, served, stub_server, mode):
    stub_server.fail(503)

    page = search(client, "/search/", mode=mode)

    content = page.content.decode()
    assert page.status_code == 200
    assert f'<p class="notice" role="status">{REASON}</p>' in content
    assert [result.title for result in page.context["answer"].results] == ["Tides"]
    assert "ordered by matching words" in content
    assert 'class="score"' not in content


def test_a_page_on_which_no_word_is_found_does_not_send_people_back_to_what_is_down(
    client, served, stub_server
):
    stub_server.fail(503)

    content = search(client, "/search/", q="bicycle").content.decode()

    assert REASON in content
    assert "Try again in a minute" in content
    assert "Search by meaning, too" not in content


def test_search_by_words_asks_no_endpoint(client, served, stub_server):
    before = len(stub_server.requests)

    response = search(client, mode="keyword")

    assert titles_of(response) == ["Tides"]
    assert len(stub_server.requests) == before


def test_an_endpoint_that_is_down_is_asked_once_by_many_searches(client, served, stub_server):
    before = len(stub_server.requests)
    stub_server.fail(503)

    answers = [search(client).json() for _ in range(4)]

    assert {answer["mode_used"] for answer in answers} == {"keyword"}
    assert len(stub_server.requests) == before + 1


def test_an_endpoint_that_hangs_is_not_waited_for(client, served, stub_server, monkeypatch):
    monkeypatch.setattr("apps.search.embedders.openai_compatible.HURRIED_TIMEOUT", 0.3)
    stub_server.be_slow(seconds=30)

    assert search(client).json()["mode_used"] == "keyword"


def test_an_endpoint_whose_name_leads_into_the_network_now_is_not_asked(
    client, served, settings, stub_server
):
    before = len(stub_server.requests)
    settings.EMBEDDINGS_ALLOW_PRIVATE_ADDRESSES = False
    configured._lent.clear()  # what is connected already stays connected

    assert search(client).json()["mode_used"] == "keyword"
    assert len(stub_server.requests) == before


def test_a_key_that_cannot_be_read_degrades_the_search_too(client, served, settings):
    settings.SECRET_KEY = "another"
    configured._lent.clear()

    assert search(client).json()["degraded"] == REASON


def test_a_service_of_the_settings_that_is_down_degrades_the_search_too(client, acme, settings):
    make_public(acme)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    options = {"base_url": url, "model": "m", "dimensions": DIMENSIONS, "api_key": "none"}
    entry = {"BACKEND": BACKEND, "MODEL": "pgvector.PgVectorEmbedding", "OPTIONS": options}
    settings.EMBEDDINGS = {"default": entry}

    assert search(client).json()["degraded"] == REASON


def test_the_next_page_of_a_list_by_meaning_is_not_one_by_words(client, served, stub_server):
    after = search(client, limit=1).json()["next"]
    forget_query_vectors()  # another process answers
    stub_server.fail(503)

    answer = search(client, limit=1, after=after)

    assert answer.status_code == 200
    assert (answer.json()["results"], answer.json()["next"], answer.json()["degraded"]) == ([], after, LATER)


@pytest.mark.parametrize(("path", "text"), [("/api/search", "does not answer"), ("/search/", "No answer")])
def test_when_the_search_by_words_fails_too_it_is_503(client, served, stub_server, path, text):
    stub_server.fail(503)
    with tenant_context(served), owner_rights(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE pgvector_pgvectorembedding RENAME COLUMN keywords TO lost")

    response = search(client, path)

    assert response.status_code == 503
    assert text in response.content.decode()


def test_an_explanation_is_left_out_where_the_endpoint_is_down(client, served, stub_server):
    with tenant_context(served):
        client.force_login(get_user_model().objects.create_superuser("boss@acme.example"))
    explained = search(client, explain="true").json()["explanation"]
    forget_query_vectors()
    stub_server.fail(503)

    answers = [search(client, path, explain="true") for path in ("/api/search", "/search/")]

    assert explained["plan"] == "exact"
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json()["explanation"] is None
    assert [result["explanation"] for result in answers[0].json()["results"]] == [None]


def test_an_endpoint_that_goes_down_between_search_and_explanation_costs_the_explanation_only(
    client, served, stub_server
):
    with tenant_context(served):
        client.force_login(get_user_model().objects.create_superuser("boss@acme.example"))
    stub_server.change(lambda items: items)
    stub_server.fail(503)

    answer = search(client, explain="true").json()

    assert (answer["mode_used"], answer["explanation"]) == ("semantic", None)


def test_the_command_finds_by_words_and_says_so(served, stub_server, capsys):
    stub_server.fail(503)

    call_command("search", "moon", "--schema=acme")

    printed = capsys.readouterr()
    assert "Tides" in printed.out
    assert REASON in printed.err


def test_the_command_fails_when_nothing_answers(served, stub_server):
    stub_server.fail(503)
    with tenant_context(served), owner_rights(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE pgvector_pgvectorembedding RENAME COLUMN keywords TO lost")

    with pytest.raises(CommandError, match="status 503"):
        call_command("search", "moon", "--schema=acme")


def test_one_tenants_endpoint_that_is_down_degrades_no_other_tenant(
    client, served, globex, make_space, stub_server
):
    make_public(globex)
    with tenant_context(globex):
        make_space()
    with unbound():
        Tenant.objects.filter(pk=globex.pk).update(space="own-stub")
    stub_server.fail(503)
    degraded = search(client).json()["degraded"]

    other = search(client, headers={"host": "globex.localhost"}).json()

    assert (degraded, other["degraded"], other["results"]) == (REASON, None, [])


def test_the_log_says_why_and_holds_no_key(client, served, stub_server, caplog):
    stub_server.fail(401, f"Incorrect API key provided: {KEY}")

    search(client)

    assert "falls back to words" in caplog.text
    assert "status 401: check the key" in caplog.text
    assert KEY not in caplog.text
