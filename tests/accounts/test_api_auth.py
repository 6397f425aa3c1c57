import pytest
from django.test import Client

from apps.accounts.models import ApiKey
from tenants.context import tenant_context

WHOAMI = "/test-api/whoami"


@pytest.fixture(autouse=True)
def api_urls(settings):
    settings.ROOT_URLCONF = "tests.accounts.api_urls"


@pytest.fixture
def issued(acme, member):
    with tenant_context(acme):
        return ApiKey.objects.issue(member, "import")


def bearer(host, key, scheme="Bearer"):
    return {"host": f"{host}.localhost", "authorization": f"{scheme} {key}"}


def test_nobody_gets_401_in_json(client, db, acme, at_acme):
    response = client.get(WHOAMI, **at_acme)

    assert response.status_code == 401
    assert response.json() == {"detail": "Unauthorized"}


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_key_makes_its_user_the_requests_user(client, member, issued, scheme):
    response = client.get(WHOAMI, headers=bearer("acme", issued[1], scheme))

    assert response.status_code == 200
    assert response.json() == {"email": member.email, "auth": member.email}


def test_a_key_makes_its_user_the_asynchronous_user_too(client, member, issued):
    response = client.get(WHOAMI + "-async", headers=bearer("acme", issued[1]))

    assert response.json() == {"email": member.email}


def test_a_session_is_accepted(member_client, member, at_acme):
    response = member_client.get(WHOAMI, **at_acme)

    assert response.json() == {"email": member.email, "auth": member.email}


def test_a_session_is_accepted_beside_another_authorization_scheme(member_client, member):
    response = member_client.get(WHOAMI, headers=bearer("acme", "cHJveHk6c2VjcmV0", "Basic"))

    assert response.json()["email"] == member.email


@pytest.mark.parametrize(
    "key",
    ["", "wrong", "é" * 43, "a" * 43, "a" * 100_000],
    ids=["empty", "short", "accents", "unknown", "huge"],
)
def test_a_wrong_key_is_refused_even_beside_a_session(member_client, key):
    response = member_client.get(WHOAMI, headers=bearer("acme", key))

    assert response.status_code == 401
    assert response.json() == {"detail": "Unauthorized"}


@pytest.mark.parametrize("separator", ["  ", "\t"])
def test_a_wrong_key_after_other_white_space_is_a_key_too(member_client, separator):
    headers = {"host": "acme.localhost", "authorization": f"Bearer{separator}nonsense"}

    assert member_client.get(WHOAMI, headers=headers).status_code == 401


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_revoked_key_is_refused_whatever_else_lets_in(acme, member, issued, method):
    strict = Client(enforce_csrf_checks=True)
    with tenant_context(acme):
        strict.force_login(member)
        issued[0].delete()

    response = getattr(strict, method)("/test-api/open", headers=bearer("acme", issued[1]))

    assert response.status_code == 401


def test_another_way_in_is_asked_where_no_key_is_presented(client, acme, at_acme):
    assert client.get("/test-api/open", **at_acme).status_code == 200


def test_a_session_needs_a_csrf_token_to_change_something_and_a_key_does_not(acme, member, issued, at_acme):
    strict = Client(enforce_csrf_checks=True)
    with tenant_context(acme):
        strict.force_login(member)

    by_session = strict.post(WHOAMI, **at_acme)
    by_key = strict.post(WHOAMI, headers=bearer("acme", issued[1]))

    assert by_session.status_code == 403
    assert by_session.json() == {"detail": "CSRF check Failed"}
    assert by_key.status_code == 200


def test_another_tenant_refuses_the_key(client, twin, issued):
    response = client.get(WHOAMI, headers=bearer("globex", issued[1]))

    assert response.status_code == 401


def test_another_tenant_refuses_the_session(member_client, twin, at_globex):
    response = member_client.get(WHOAMI, **at_globex)

    assert response.status_code == 401
