"""What holds whichever of the optional apps are there; tests.matrix runs it without each of them."""

import sys

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command

from apps.search.indexing.batches import rebuild_index
from tenants.context import tenant_context
from tenants.discovery import list_points
from tests.house import is_within
from tests.matrix.crawling import crawl
from tests.models_app.models import Note
from tests.optional import list_left_out


@pytest.fixture
def furnished(acme, embedder):
    """acme with a note that searches find, and its owner as a superuser."""
    with tenant_context(acme):
        Note.objects.create(title="Tides", body="The moon pulls at the water of the sea.", key="tides")
        rebuild_index("notes")
        get_user_model().objects.create_superuser("boss@acme.example")
    return acme


@pytest.fixture
def member(client, furnished):
    with tenant_context(furnished):
        client.force_login(get_user_model().objects.get(email="boss@acme.example"))
    return client


def test_the_checks_find_nothing():
    call_command("check", fail_level="WARNING")


def test_no_migration_is_missing(db):
    call_command("makemigrations", check=True, dry_run=True)


def test_every_app_keeps_the_form_of_its_modules():
    assert [fault for point in list_points() for fault in point.find_faults()] == []


def test_a_tenants_site_has_no_dead_link(member, furnished):
    answered, faults = crawl(member, furnished.hostname, "/", "/search/", "/api/docs")

    assert faults == []
    paths = {path.partition("?")[0] for path in answered}
    assert {"/", "/search/", "/admin/", "/admin/notes/note/", "/api/docs", "/api/openapi.json"} <= paths


def test_visitors_find_no_dead_link(client, furnished):
    answered, faults = crawl(client, furnished.hostname, "/", "/search/", "/api/docs", "/admin/")

    assert faults == []
    assert len(answered) >= 2


def test_the_operators_site_has_no_dead_link(operator, furnished):
    answered, faults = crawl(operator, settings.BASE_DOMAIN, "/", "/admin/")

    assert faults == []
    assert {"/", "/admin/", f"/admin/tenants/tenant/{furnished.pk}/change/"} <= set(answered)


def test_every_endpoint_of_the_api_answers(member, furnished):
    host = {"host": furnished.hostname}
    described = member.get("/api/openapi.json", headers=host).json()

    answers = {
        path: member.get(path.replace("{pk}", "1").split("{")[0], {"q": "moon"}, headers=host).status_code
        for path, operations in described["paths"].items()
        if "get" in operations
    }

    assert {status for status in answers.values() if status >= 500} == set()
    assert [path for path, status in answers.items() if status == 404 and "{" not in path] == []
    assert {"/api/search", "/api/notes"} <= answers.keys()


def test_nothing_of_what_is_left_out_was_imported():
    left_out = list_left_out()

    assert [module for module in sys.modules if any(is_within(module, app) for app in left_out)] == []
