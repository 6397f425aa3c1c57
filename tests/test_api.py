"""What holds for every endpoint of the JSON API."""

import re
from unittest.mock import Mock
from urllib.parse import quote

import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import BadRequest
from django.db import DataError, transaction
from django.test import Client, RequestFactory

from project.api import api
from project.middleware import RefusedValuesMiddleware
from tenants.context import tenant_context
from tests.optional import list_left_out, needs

ACME = {"host": "acme.localhost"}
HUGE = 10**30
EXPECTED = {200, 201, 204, 302, 400, 403, 404, 405, 409, 422}


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


@pytest.mark.parametrize(
    ("method", "address"), [("get", "/"), ("post", "/"), ("post", "/?q=x")], ids=["path", "body", "both"]
)
def test_what_else_the_database_refuses_is_still_an_error_of_ours(method, address):
    middleware = RefusedValuesMiddleware(lambda request: None)
    request = getattr(RequestFactory(), method)(address)

    assert middleware.process_exception(request, DataError("numeric field overflow")) is None


@pytest.mark.parametrize("error", [DataError("invalid regular expression"), OverflowError("too large")])
def test_a_value_in_the_address_that_cannot_be_looked_up_is_400(caplog, error):
    request = RequestFactory().get("/", {"q": "("})

    with pytest.raises(BadRequest, match=r"The address holds a value that cannot be looked up\."):
        RefusedValuesMiddleware(lambda request: None).process_exception(request, error)

    assert f"GET /: 400, {error}" in caplog.text


@pytest.mark.parametrize("query", ["key__regex=(", f"updated_at__year={HUGE}", "key=%00"])
def test_a_page_says_that_an_address_cannot_be_read(member, query):
    with transaction.atomic():
        response = member.get(f"/admin/notes/note/?{query}", headers=ACME)
        transaction.set_rollback(True)

    assert response.status_code == 400
    assert "<h1>This cannot be read</h1>" in response.content.decode()


def test_the_api_answers_422_to_a_value_that_the_database_refuses(member, monkeypatch, caplog):
    refused = DataError("invalid regular expression")
    monkeypatch.setattr("tests.models_app.api.Note.objects.all", Mock(side_effect=refused))

    response = member.get("/api/notes", {"limit": 3}, headers=ACME)

    assert response.status_code == 422
    assert response.json() == {
        "errors": {"request": ["A value behind the question mark cannot be looked up."]}
    }
    assert "GET /api/notes: 422, invalid regular expression" in caplog.text


NASTY = ("\x00", "-" * 40, "\ud800", "(", str(HUGE), "9" * 5_000, "²", "null")


def send(client, verb, path, **data):
    try:  # a refused statement must not spoil the transaction of the test
        with transaction.atomic():
            response = getattr(client, verb)(path, headers=ACME, **data)
            transaction.set_rollback(True)
            return response.status_code
    except Exception as error:
        return repr(error)


def test_no_operation_fails_on_nasty_values(member):
    failed = []
    for path, verb, operation in list_operations():
        names = [each["name"] for each in operation.get("parameters", []) if each["in"] == "query"]
        for value in NASTY:
            address = re.sub(r"{\w+}", quote(value.encode(errors="surrogatepass"), safe=""), path)
            status = send(member, verb, address, query_params=dict.fromkeys(names, "1") if names else {})
            failed += [] if status in EXPECTED else [(verb, address, status)]
            for name in names:
                given = {"q": "moon", name: value.encode(errors="surrogatepass")}
                status = send(member, verb, re.sub(r"{\w+}", "1", path), query_params=given)
                failed += [] if status in EXPECTED else [(verb, path, name, value, status)]

    assert failed == []
