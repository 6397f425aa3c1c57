from contextlib import contextmanager

import pytest
from django.test import Client

from apps.search import get_provider
from apps.search.documents import Document
from apps.search.searching.access import search_share
from apps.search.searching.results import find_similar
from tenants.binding.shares import BusyError
from tenants.context import tenant_context
from tests.models_app.models import Note

MESSAGE = "This site has as much at work as it may. Try again in a few seconds."


@pytest.fixture(autouse=True)
def small_share(settings):
    settings.SEARCHES_AT_ONCE, settings.SEARCHES_IN_LINE = 1, 0


@pytest.fixture(autouse=True)
def public(embedder, acme, globex):
    for tenant in (acme, globex):
        tenant.search_is_public = True
        tenant.save()
        with tenant_context(tenant):
            get_provider("notes").add([Document("a", "red apple")])


@contextmanager
def searching(tenant):
    """Take the tenant's only place, as a search that is at work does."""
    with tenant_context(tenant):
        share = search_share()
        share.__enter__()
    try:
        yield
    finally:
        share.__exit__(None, None, None)


def ask(path, tenant="acme"):
    return Client().get(path, {"q": "apple"}, headers={"host": f"{tenant}.localhost"})


def test_a_tenant_with_too_many_searches_is_told_so_in_the_callers_form(acme):
    with searching(acme):
        page, answer = ask("/search/"), ask("/api/search")

    assert [(each.status_code, each["Retry-After"]) for each in (page, answer)] == [(503, "5")] * 2
    assert "<h1>This site is busy</h1>" in page.content.decode()
    assert MESSAGE in page.content.decode()
    assert answer.json() == {"errors": {"busy": [MESSAGE]}}
    assert [ask(path).status_code for path in ("/search/", "/api/search")] == [200, 200]


def test_another_tenant_searches_as_ever(acme):
    with searching(acme):
        assert [ask(path, "globex").status_code for path in ("/search/", "/api/search")] == [200, 200]


def test_a_form_that_searches_nothing_needs_no_share(acme):
    with searching(acme):
        assert Client().get("/search/", headers={"host": "acme.localhost"}).status_code == 200


def test_similar_objects_are_a_search_too(in_acme):
    note = Note.objects.create(title="Apple", body="red")

    with searching(in_acme), pytest.raises(BusyError):
        find_similar(note, 3)
