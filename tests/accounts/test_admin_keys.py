import re

import pytest
from django.contrib.auth.models import Permission
from django.contrib.sessions.models import Session

from apps.accounts.models import ApiKey
from tenants.context import tenant_context

KEYS = "/admin/accounts/apikey/"


@pytest.fixture
def issued(acme, member):
    with tenant_context(acme):
        return ApiKey.objects.issue(member, "weekly report")


def make_staff(acme, member, *codenames):
    with tenant_context(acme):
        member.is_staff = True
        member.save()
        permissions = Permission.objects.filter(codename__in=codenames, content_type__app_label="accounts")
        member.user_permissions.set(permissions)


def revoke(client, api_key, at):
    return client.post(KEYS, {"action": "revoke", "_selected_action": [api_key.pk]}, **at)


def test_an_issued_key_is_shown_once_and_kept_nowhere(admin_client, acme, member, at_acme):
    form = {"name": "import", "user": member.pk, "expires_at_0": "", "expires_at_1": ""}

    response = admin_client.post(KEYS + "add/", form, **at_acme)
    later = admin_client.get(KEYS, **at_acme).content.decode()

    plain_key = re.search(r"<code>([\w-]{43})</code>", response.content.decode())[1]
    assert plain_key not in later
    assert "no-store" in response.headers["Cache-Control"]
    assert all(plain_key not in cookie.value for cookie in admin_client.cookies.values())
    with tenant_context(acme):
        assert all(plain_key not in str(session.get_decoded()) for session in Session.objects.all())
        assert ApiKey.objects.authenticate(plain_key).user == member


def test_an_expiry_in_the_past_is_refused(admin_client, acme, member, at_acme):
    form = {"name": "import", "user": member.pk, "expires_at_0": "2020-01-01", "expires_at_1": "00:00"}

    response = admin_client.post(KEYS + "add/", form, **at_acme)

    assert "2020-01-01 00:00 is past; a key expires in the future, or never." in response.content.decode()
    with tenant_context(acme):
        assert not ApiKey.objects.exists()


def test_an_issued_key_can_be_read_but_not_edited(admin_client, acme, issued, at_acme):
    url = f"{KEYS}{issued[0].pk}/change/"

    page = admin_client.get(url, **at_acme)
    edit = admin_client.post(url, {"name": "renamed"}, **at_acme)

    html = page.content.decode()
    assert issued[0].prefix in html
    assert issued[0].digest not in html
    assert 'name="name"' not in html
    assert edit.status_code == 403


def test_chosen_keys_are_revoked(admin_client, acme, issued, at_acme):
    revoke(admin_client, issued[0], at_acme)

    html = admin_client.get(KEYS, **at_acme).content.decode()
    assert f"Revoked: weekly report ({issued[0].prefix}…)." in html
    with tenant_context(acme):
        assert ApiKey.objects.authenticate(issued[1]) is None


def test_staff_issue_keys_for_themselves_only(client, acme, member, admin_member, at_acme):
    make_staff(acme, member, "add_apikey", "view_apikey")
    with tenant_context(acme):
        client.force_login(member)

    for_the_boss = client.post(KEYS + "add/", {"name": "import", "user": admin_member.pk}, **at_acme)
    for_oneself = client.post(KEYS + "add/", {"name": "import", "user": member.pk}, **at_acme)

    assert "Select a valid choice." in for_the_boss.content.decode()
    assert "API key issued" in for_oneself.content.decode()


def test_staff_who_may_only_look_cannot_revoke(client, acme, member, issued, at_acme):
    make_staff(acme, member, "view_apikey")
    with tenant_context(acme):
        client.force_login(member)

    revoke(client, issued[0], at_acme)

    with tenant_context(acme):
        assert ApiKey.objects.authenticate(issued[1]) is not None


def test_another_tenants_admin_sees_no_key_of_it(client, globex, issued, twin, at_globex):
    with tenant_context(globex):
        twin.is_staff = twin.is_superuser = True
        twin.save()
        client.force_login(twin)

    listed = client.get(KEYS, **at_globex)
    page = client.get(f"{KEYS}{issued[0].pk}/change/", **at_globex)

    assert "weekly report" not in listed.content.decode()
    assert page.status_code == 302
