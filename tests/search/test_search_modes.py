import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.utils.html import escape

from apps.search.documents import Document
from apps.search.indexing.batches import index_objects
from apps.search.providers import get_provider
from apps.search.searching.hybrid import search_by_mode
from tenants.context import tenant_context
from tests.models_app.models import Note

pytestmark = pytest.mark.usefixtures("embedder")
TEXTS = {"Fox": "The quick fox <script>alert(1)</script> jumps", "Cat": "A cat sleeps", "Tea": "Hot tea"}


@pytest.fixture
def public(acme):
    type(acme).objects.filter(pk=acme.pk).update(search_is_public=True)
    with tenant_context(acme):
        notes = [Note.objects.create(title=title, body=body) for title, body in TEXTS.items()]
        index_objects(Note, [note.pk for note in notes])
    return {"host": acme.hostname}


def titles(response):
    return [result["source"]["title"] for result in response.json()["results"]]


@pytest.mark.parametrize(
    ("mode", "count"), [("semantic", 3), ("keyword", 1), ("hybrid", 3)], ids=lambda value: str(value)
)
def test_api_searches_by_mode(client, public, mode, count):
    response = client.get("/api/search", {"q": "fox jumping", "mode": mode}, headers=public)

    assert (response.status_code, response.json()["mode"]) == (200, mode)
    assert (titles(response)[0], len(titles(response))) == ("Fox", count)


@pytest.mark.parametrize("mode", ["semantic", "keyword", "hybrid"])
def test_a_provider_of_one_tenant_searches_by_every_mode_while_none_is_bound(public, acme, globex, mode):
    found = search_by_mode(get_provider("notes", tenant=acme), "fox jumping", mode)[:1]

    assert [row.metadata["title"] for row in found] == ["Fox"]
    assert not search_by_mode(get_provider("notes", tenant=globex), "fox jumping", mode)[:1]


def test_api_searches_by_meaning_unless_told(client, public):
    response = client.get("/api/search", {"q": "fox"}, headers=public)

    assert response.json()["mode"] == "semantic"


def test_api_names_the_modes_for_an_unknown_one(client, public):
    response = client.get("/api/search", {"q": "fox", "mode": "vague"}, headers=public)

    assert response.status_code == 422
    assert response.json()["errors"] == {
        "mode": ["There is no mode 'vague'. Allowed: semantic, keyword, hybrid."]
    }


def test_a_project_without_an_index_says_so(client, public, monkeypatch):
    monkeypatch.setattr("apps.search.searching.forms.get_index_names", list)

    response = client.get("/api/search", {"q": "fox"}, headers=public)

    assert response.json() == {
        "errors": {"index": ["Nothing can be searched: no installed app has an index."]}
    }


@pytest.mark.parametrize("mode", ["keyword", "hybrid"])
def test_api_filters_in_every_mode(client, public, mode):
    response = client.get(
        "/api/search", {"q": "fox cat", "mode": mode, "filter": '{"title": "Cat"}'}, headers=public
    )

    assert titles(response) == ["Cat"]


@pytest.mark.parametrize("mode", ["semantic", "keyword", "hybrid"])
def test_page_marks_the_words_and_nothing_else(client, public, mode):
    response = client.get("/search/", {"q": "the fox jumping <script>", "mode": mode}, headers=public)

    page = response.content.decode()
    assert response.status_code == 200
    assert "<mark>fox</mark> &lt;<mark>script</mark>&gt;alert(1)&lt;/<mark>script</mark>&gt;" in page
    assert "<mark>jumps</mark>" in page
    assert "<mark>The</mark>" not in page
    assert "<script>alert" not in page


def test_page_marks_what_a_search_by_words_has_found(client, public, acme):
    with tenant_context(acme):
        note = Note.objects.create(
            title="Ini", body="RawConfigParser reads a configuration; see configured_files."
        )
        index_objects(Note, [note.pk])

    def ask(query, mode):
        return client.get("/search/", {"q": query, "mode": mode}, headers=public).content.decode()

    marked = "a <mark>configuration</mark>; see <mark>configured</mark>_files."
    assert "Raw<mark>Config</mark>Parser reads a configuration;" in ask("config", "keyword")
    assert f"Raw<mark>Config</mark>Parser reads {marked}" in ask("config", "hybrid")
    assert f"Parser reads {marked}" in ask("configures", "keyword")


def test_page_shows_excerpts_without_marks_of_markdown_and_without_the_title(client, public, acme):
    with tenant_context(acme):
        body = "# Guide\n\nSee **the [owl](https://example.com)** and `fly`.\n\n## Night"
        note = Note.objects.create(title="Guide", body=body)
        index_objects(Note, [note.pk])

    page = client.get("/search/", {"q": "owl", "mode": "keyword"}, headers=public).content.decode()

    assert '<p class="snippet">See the <mark>owl</mark> and fly. Night</p>' in page


def test_page_says_when_no_note_holds_the_words(client, public):
    response = client.get("/search/", {"q": "unheard", "mode": "keyword"}, headers=public)

    assert "No note holds these words." in response.content.decode()


def test_the_rank_of_a_result_does_not_break():
    (css,) = finders.find("search.css", find_all=True)
    rule = re.search(r"\.results li::before {([^}]*)}", Path(css).read_text())[1]

    assert "content: counter(rank)" in rule
    assert "white-space: nowrap;" in rule


def test_page_keeps_the_mode_for_the_next_query(client, public):
    page = client.get("/search/", {"q": "fox", "mode": "hybrid"}, headers=public).content.decode()

    assert '<input type="hidden" name="mode" value="hybrid">' in page
    assert '<strong aria-current="true">both</strong>' in page
    assert 'href="?q=fox&amp;mode=keyword"' in page


def test_another_tenants_words_are_not_found(client, public, globex):
    type(globex).objects.filter(pk=globex.pk).update(search_is_public=True)

    response = client.get("/api/search", {"q": "fox", "mode": "keyword"}, headers={"host": globex.hostname})

    assert (response.status_code, response.json()["results"]) == (200, [])


def test_the_fusion_of_a_space_is_that_of_its_options(in_acme, embedder, settings):
    provider = get_provider("notes")
    options = {"fusion": "minmax", "fusion_weights": (0, 1)}
    default = settings.EMBEDDINGS["default"] | {"OPTIONS": options}
    settings.EMBEDDINGS = settings.EMBEDDINGS | {"default": default}
    provider.add([Document("near", "alpha beta"), Document("worded", "alpha")])

    by_options = list(search_by_mode(provider, "alpha", "hybrid").values_list("document_key", "score"))
    by_call = list(search_by_mode(provider, "alpha", "hybrid", method="rrf", weights=(1, 1)))

    assert by_options[0][1] == pytest.approx(1)
    assert by_call[0].score < 0.04


def test_the_page_names_its_filter_and_keeps_it_for_the_next_search(client, public):
    filter = '{"title": {"ne": "Tea"}}'

    page = client.get("/search/", {"q": "fox", "filter": filter}, headers=public).content.decode()
    plain = client.get("/search/", {"q": "fox"}, headers=public).content.decode()

    assert f'<input type="hidden" name="filter" value="{escape(filter)}">' in page
    assert '<a href="?q=fox">Search without the filter</a>' in page
    assert "Search without the filter" not in plain
