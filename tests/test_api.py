"""What holds for every endpoint of the JSON API."""

import pytest
from django.contrib.auth import get_user_model
from django.db import DataError
from django.test import Client, RequestFactory

from project.api import api
from project.middleware import NulMiddleware
from tenants.context import tenant_context
from tests.optional import list_left_out, needs

ACME = {"host": "acme.localhost"}
HUGE = 10**30


@pytest.fixture
def admin(acme):
    with tenant_context(acme):
        return get_user_model().objects.create_superuser("admin@acme.example", "correct horse 7")


@pytest.fixture
def member(client, admin, acme):
    with tenant_context(acme):
        client.force_login(admin)
    return client


def list_operations():
    paths = api.get_openapi_schema()["paths"]
    return [(path, verb, operation) for path, methods in paths.items() for verb, operation in methods.items()]


@pytest.mark.parametrize(
    "path", ["/api/notes", pytest.param("/api/golden-queries", marks=needs("apps.search_quality"))]
)
@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        ("limit", "Input should be less than or equal to 1000"),
        ("offset", "Input should be less than or equal to 2147483647"),
    ],
)
def test_a_page_beyond_all_bounds_is_refused(member, path, parameter, message):
    response = member.get(path, {parameter: HUGE}, headers=ACME)

    assert response.status_code == 422
    assert response.json() == {"errors": {parameter: [message]}}


@pytest.mark.parametrize("public", [False, True])
@pytest.mark.parametrize("path", ["/api/search?q=moon", "/api/notes"])
def test_a_wrong_key_is_refused_beside_a_session_and_where_the_search_is_public(member, acme, path, public):
    acme.search_is_public = public
    acme.save()

    response = member.get(path, headers=ACME | {"authorization": "Bearer nonsense"})

    assert response.status_code == 401
    assert response.json() == {
        "errors": {"authorization": ["Sign in, or send `Authorization: Bearer <API key>`."]}
    }


@needs("apps.search_switching")
def test_a_session_without_its_csrf_token_is_refused_in_the_same_form(admin, acme):
    client = Client(enforce_csrf_checks=True)
    with tenant_context(acme):
        client.force_login(admin)

    response = client.post("/api/space-switch/pause", headers=ACME)

    assert response.status_code == 403
    assert response.json() == {"errors": {"request": ["CSRF check Failed"]}}


@pytest.mark.parametrize("path", ["/api/nothing", "/api/spaces/%C2%8B", "/api/notes/x"])
@pytest.mark.parametrize("verb", ["get", "delete"])
def test_an_address_that_is_no_endpoint_is_404_in_json(admin, verb, path):
    response = getattr(Client(enforce_csrf_checks=True), verb)(path, headers=ACME)

    assert response.status_code == 404
    assert response.json() == {
        "errors": {"path": ["There is no such address; /api/docs shows all there are."]}
    }


def test_the_api_has_the_name_of_the_site(settings):
    assert api.get_openapi_schema()["info"]["title"] == settings.SITE_NAME


def test_every_operation_names_its_refusals():
    refusals = {
        (path, verb): {str(status) for status in operation["responses"]}
        for path, verb, operation in list_operations()
    }

    assert len(refusals) >= (2 if list_left_out() else 16)
    for (path, verb), statuses in refusals.items():
        assert statuses >= {"401", "403", "422", "429"}, (path, verb)
        assert "404" in statuses or "{" not in path, (path, verb)


def test_every_refusal_has_the_one_form():
    responses = [
        response
        for _, _, operation in list_operations()
        for status, response in operation["responses"].items()
        if int(status) >= 400
    ]

    forms = {response["content"]["application/json"]["schema"]["$ref"] for response in responses}
    assert forms == {"#/components/schemas/ErrorsOut"}


@needs("apps.search_quality")
def test_a_nul_in_the_name_of_an_index_is_refused(member):
    response = member.get("/api/golden-queries", {"index": "secrets\x00"}, headers=ACME)

    assert response.status_code == 422
    assert response.json()["errors"]["index"][0].startswith("String should match pattern")


def test_the_api_itself_leads_to_its_documentation(client, acme):
    response = client.get("/api/", headers=ACME)

    assert (response.status_code, response["Location"]) == (302, "/api/docs")


def test_what_else_the_database_refuses_is_still_an_error_of_ours(member):
    middleware = NulMiddleware(lambda request: None)
    request = RequestFactory().get("/", {"q": "x"})

    assert middleware.process_exception(request, DataError("numeric field overflow")) is None
