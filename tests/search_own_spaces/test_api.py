import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.serializers.json import DjangoJSONEncoder

from apps.accounts.models import ApiKey
from apps.search_own_spaces.models import OwnSpace
from tenants.context import tenant_context, unbound
from tenants.models import Tenant
from tests.registry import make_public
from tests.search_own_spaces.conftest import KEY

AT_ACME = {"host": "acme.localhost"}
AT_GLOBEX = {"host": "globex.localhost"}


@pytest.fixture
def call(client):
    def call(method, path="", body=None, headers=AT_ACME):
        path = f"/api/spaces{path}"
        return client.generic(method, path, encode(body), content_type="application/json", headers=headers)

    return call


def encode(body):
    return "" if body is None else DjangoJSONEncoder().encode(body)


@pytest.fixture
def member_with(client, acme):
    """Signs in a member with these permissions only."""

    def sign_in(*actions):
        with tenant_context(acme):
            member = get_user_model().objects.create_user("m@acme.example")
            codenames = [f"{action}_ownspace" for action in actions]
            member.user_permissions.set(Permission.objects.filter(codename__in=codenames))
            client.force_login(member)
        return member

    return sign_in


def read_stored(tenant):
    with tenant_context(tenant):
        return list(OwnSpace.objects.values_list("alias", "requests_per_minute"))


def test_a_space_is_made_shown_changed_and_deleted(boss, call, values, acme):
    created = call("POST", body=values)
    shown = call("GET", "/own-stub").json()
    changed = call("PATCH", "/own-stub", {"requests_per_minute": 30, "price_per_million_tokens": "0.1"})
    cleared = call("PATCH", "/own-stub", {"price_per_million_tokens": None})
    deleted = call("DELETE", "/own-stub")

    assert (created.status_code, created.json()) == (201, shown)
    assert (shown["alias"], shown["is_own"], shown["is_active"]) == ("own-stub", True, False)
    assert shown["endpoint"]["key"] == "set, ends in 6789"
    assert (changed.status_code, changed.json()["endpoint"]["requests_per_minute"]) == (200, 30)
    assert changed.json()["endpoint"]["price_per_million_tokens"] == "0.1"
    assert cleared.json()["endpoint"]["price_per_million_tokens"] is None
    assert cleared.json()["endpoint"]["requests_per_minute"] == 30
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert read_stored(acme) == []
    for response in (created, changed, cleared):
        assert KEY not in response.content.decode()
        assert "encrypted" not in response.content.decode()


def test_the_list_has_the_installations_spaces_and_the_tenants_own(boss, call, values, settings):
    given = {alias: settings.EMBEDDINGS[alias] for alias in ("default", "fast", "custom")}
    settings.EMBEDDINGS = given | {"broken": {"BACKEND": "no.Where"}}
    call("POST", body=values)

    found = call("GET").json()

    assert [
        (space["alias"], space["is_own"], space["is_active"], space["dimensions"]) for space in found
    ] == [
        ("default", False, True, 384),
        ("fast", False, False, 256),
        ("custom", False, False, 384),
        ("broken", False, False, None),
        ("own-stub", True, False, 16),
    ]
    assert [space["endpoint"] is None for space in found] == [True, True, True, True, False]


def test_bad_values_and_a_refusal_are_answered_with_the_field(boss, call, values, stub_server, acme):
    stub_server.fail(401)
    refused = call("POST", body=values)
    bad = call("POST", body=values | {"alias": "voyage"})
    unknown = call("POST", body=values | {"encrypted_key": "x"})
    absent = call("POST", body={"alias": "own-x"})

    assert [response.status_code for response in (refused, bad, unknown, absent)] == [422] * 4
    assert "status 401: check the key" in refused.json()["errors"]["api_key"][0]
    assert list(bad.json()["errors"]) == ["alias"]
    assert list(unknown.json()["errors"]) == ["encrypted_key"]
    assert set(absent.json()["errors"]) == {"base_url", "model", "dimensions"}
    assert read_stored(acme) == []


@pytest.mark.parametrize(
    "change", [{"model": "x"}, {"base_url": "https://x.test"}, {"alias": "own-y"}, {"batch_size": None}]
)
def test_what_is_fixed_cannot_be_given_again(boss, call, values, change):
    call("POST", body=values)

    response = call("PATCH", "/own-stub", change)

    assert (response.status_code, list(response.json()["errors"])) == (422, list(change))


def test_the_active_space_is_not_deleted(boss, call, values, acme):
    call("POST", body=values)
    with unbound():
        Tenant.objects.filter(pk=acme.pk).update(space="own-stub")

    response = call("DELETE", "/own-stub")

    assert response.status_code == 409
    assert response.json()["errors"]["alias"] == [
        "own-stub cannot be deleted. This tenant is searched by it: switch to another space first."
    ]
    assert call("GET", "/own-stub").json()["is_active"]


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_what_is_not_there_is_404(boss, call, method):
    assert call(method, "/own-nothing", {}).status_code == 404


@pytest.mark.parametrize(
    ("actions", "statuses"),
    [
        ([], [403, 403, 403, 403]),
        (["view"], [200, 403, 403, 403]),
        (["add"], [403, 201, 403, 403]),
        (["change"], [403, 403, 200, 403]),
        (["delete"], [403, 403, 403, 204]),
    ],
)
def test_each_action_wants_its_permission(member_with, call, values, acme, make_space, actions, statuses):
    with tenant_context(acme):
        make_space("own-there")
    member_with(*actions)

    responses = [
        call("GET"),
        call("POST", body=values),
        call("PATCH", "/own-there", {}),
        call("DELETE", "/own-there"),
    ]

    assert [response.status_code for response in responses] == statuses
    if not actions:
        expected = {"errors": {"permission": ["This needs the permission own_spaces.view_ownspace."]}}
        assert responses[0].json() == expected


@pytest.mark.parametrize("is_public", [False, True])
def test_a_stranger_is_asked_to_sign_in(call, values, acme, is_public):
    if is_public:
        make_public(acme)

    responses = [
        call("GET"),
        call("POST", body=values),
        call("PATCH", "/own-x", {}),
        call("DELETE", "/own-x"),
    ]

    assert [response.status_code for response in responses] == [401] * 4


@pytest.mark.parametrize("is_public", [False, True])
def test_a_session_wants_the_csrf_token(boss, call, values, acme, is_public):
    if is_public:
        make_public(acme)
    boss.handler.enforce_csrf_checks = True

    assert call("POST", body=values).status_code == 403
    assert read_stored(acme) == []


def test_a_members_key_is_enough_in_its_own_tenant_only(call, values, acme, globex):
    with tenant_context(acme):
        member = get_user_model().objects.create_superuser("boss@acme.example")
        _, key = ApiKey.objects.issue(member, "deploy")
    bearer = {"authorization": f"Bearer {key}"}

    assert call("POST", body=values, headers=AT_ACME | bearer).status_code == 201
    assert call("GET", "/own-stub", headers=AT_GLOBEX | bearer).status_code == 401


def test_another_tenant_learns_nothing_of_it(client, call, acme, globex, make_space):
    with tenant_context(acme):
        make_space("own-secret")
    with tenant_context(globex):
        client.force_login(get_user_model().objects.create_superuser("boss@globex.example"))

    listed = call("GET", headers=AT_GLOBEX)
    touched = [
        call(method, "/own-secret", {}, AT_GLOBEX).status_code for method in ("GET", "PATCH", "DELETE")
    ]

    assert "own-" not in listed.content.decode()
    assert touched == [404, 404, 404]
    assert read_stored(acme) == [("own-secret", None)]


def test_the_operators_site_has_no_such_api(call, db):
    assert call("GET", headers={"host": "localhost"}).status_code == 404


def test_a_body_that_is_not_json_is_refused_in_the_form_of_all_errors(boss, client):
    response = client.post("/api/spaces", b"\x00", content_type="application/json", headers=AT_ACME)

    assert response.status_code == 400
    assert response.json()["errors"]["request"][0].startswith("Cannot parse request body")
