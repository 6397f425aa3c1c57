import json

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from tenants.context import owner_rights, tenant_context
from tests.search_switching.work import make, run_tasks, titles

pytestmark = pytest.mark.usefixtures("embedder")

PATH = "/api/space-switch"


@pytest.fixture
def member(client, acme):
    with tenant_context(acme):
        user = get_user_model().objects.create_user("m@acme.example")
        user.user_permissions.set(Permission.objects.filter(codename__endswith="_spaceswitch"))
        client.force_login(user)
    return user


@pytest.fixture
def call(client):
    def send(method, path="", body=None, host="acme.localhost"):
        response = client.generic(
            method, PATH + path, json.dumps(body), "application/json", headers={"host": host}
        )
        return response.status_code, response.json()

    return send


def work(tenant):
    with tenant_context(tenant), owner_rights():
        run_tasks()


def test_a_member_takes_the_tenant_to_another_space_and_back(member, call, acme):
    with tenant_context(acme):
        make("old")
    work(acme)

    assert call("GET") == (200, {"searched": "default", "switch": None})
    assert call("GET", "/estimate?target=other")[1]["documents"] == 1
    status, begun = call("POST", body={"target": "other"})
    assert (status, begun["switch"]["state"], begun["switch"]["runs"][0]["percent"]) == (202, "filling", 0)
    work(acme)
    assert call("GET")[1]["switch"]["state"] == "ready"
    assert call("POST", "/cut-over")[1]["searched"] == "other"
    assert call("POST", "/roll-back")[1]["searched"] == "default"
    assert call("POST", "/cancel") == (200, {"searched": "default", "switch": None})
    work(acme)
    with tenant_context(acme):
        assert (titles("default"), titles("other")) == (["old"], [])


def test_what_is_not_possible_is_said(member, call):
    assert call("POST", "/cut-over")[0] == 404
    assert call("POST", body={"target": "nowhere"})[0] == 409
    call("POST", body={"target": "other"})

    status, answer = call("POST", "/cut-over")

    assert (status, list(answer["errors"])) == (409, ["step"])
    assert "it must be ready" in answer["errors"]["step"][0]
    assert call("POST", "/jump")[0] == 422


@pytest.mark.parametrize("path", ["", "/pause", "/cut-over"])
def test_each_step_wants_a_permission(client, acme, call, path):
    with tenant_context(acme):
        client.force_login(get_user_model().objects.create_user("m@acme.example"))

    status, answer = call("POST", path, {"target": "other"})

    assert (status, list(answer["errors"])) == (403, ["permission"])


def test_a_stranger_and_another_tenants_member_are_asked_to_sign_in(call, member, client, globex):
    assert call("GET", host="globex.localhost")[0] == 401

    client.logout()

    assert call("GET")[0] == 401
