import re
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from apps.accounts.models import ApiKey, User
from tenants.context import tenant_context

ACCOUNT = "/accounts/account/"
KEYS = "/accounts/account/keys/"


def revoke_url(api_key):
    return f"{KEYS}{api_key.pk}/revoke/"


@pytest.fixture
def issued(acme, member):
    with tenant_context(acme):
        return ApiKey.objects.issue(member, "weekly report")


@pytest.mark.parametrize(("method", "url"), [("get", ACCOUNT), ("post", KEYS), ("post", f"{KEYS}1/revoke/")])
def test_the_account_is_for_members(client, db, acme, at_acme, method, url):
    response = getattr(client, method)(url, **at_acme)

    assert response.status_code == 302
    assert response.url.startswith("/accounts/login/?next=")


def test_the_page_lists_the_members_keys_without_their_secrets(member_client, member, issued, at_acme):
    response = member_client.get(ACCOUNT, **at_acme)

    html = response.content.decode()
    assert member.email in html
    assert "weekly report" in html
    assert issued[0].prefix in html
    assert issued[0].digest not in html
    assert issued[1] not in html
    assert "no-store" in response.headers["Cache-Control"]


def test_no_two_elements_share_an_id(member_client, issued, at_acme):
    html = member_client.get(ACCOUNT, **at_acme).content.decode()

    ids = re.findall(r'\sid="([^"]+)"', html)

    assert len(ids) == len(set(ids))


def test_a_member_changes_the_name(member_client, acme, member, at_acme):
    response = member_client.post(ACCOUNT, {"name": "Mia <b>Müller</b>"}, **at_acme)
    html = member_client.get(ACCOUNT, **at_acme).content.decode()

    assert response.url == ACCOUNT
    assert "Mia &lt;b&gt;Müller&lt;/b&gt;" in html
    with tenant_context(acme):
        assert User.objects.get(pk=member.pk).name == "Mia <b>Müller</b>"


@pytest.mark.parametrize(
    ("name", "message"),
    [("n\x00", "Null characters are not allowed."), ("n" * 151, "at most 150 characters")],
)
def test_a_bad_name_is_refused_with_the_reason(member_client, at_acme, name, message):
    response = member_client.post(ACCOUNT, {"name": name}, **at_acme)

    assert response.status_code == 200
    assert message in response.content.decode()


def test_an_empty_form_clears_the_name(member_client, acme, member, at_acme):
    member_client.post(ACCOUNT, {}, **at_acme)

    with tenant_context(acme):
        assert User.objects.get(pk=member.pk).name == ""


def test_an_issued_key_is_shown_once_and_kept_nowhere(member_client, acme, member, at_acme):
    response = member_client.post(KEYS, {"name": "import", "lifetime": "30"}, **at_acme)
    later = member_client.get(ACCOUNT, **at_acme).content.decode()

    plain_key = re.search(r"<code>([\w-]{43})</code>", response.content.decode())[1]
    assert plain_key not in later
    assert "no-store" in response.headers["Cache-Control"]
    assert all(plain_key not in cookie.value for cookie in member_client.cookies.values())
    with tenant_context(acme):
        assert all(plain_key not in str(session.get_decoded()) for session in Session.objects.all())
        assert ApiKey.objects.authenticate(plain_key).user == member


@pytest.mark.parametrize(("lifetime", "days"), [("30", 30), ("365", 365), ("", None)])
def test_the_lifetime_sets_the_expiry(member_client, acme, member, at_acme, lifetime, days):
    before = timezone.now()

    member_client.post(KEYS, {"name": "import", "lifetime": lifetime}, **at_acme)

    with tenant_context(acme):
        expires_at = member.api_keys.get().expires_at
    assert expires_at is None if days is None else expires_at >= before + timedelta(days=days)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"name": "", "lifetime": "30"}, "This field is required."),
        ({"name": "n" * 101, "lifetime": "30"}, "at most 100 characters"),
        ({"name": "import", "lifetime": "31"}, "31 is not one of the available choices."),
    ],
)
def test_a_bad_key_form_is_refused_with_the_reason(member_client, acme, member, at_acme, data, message):
    response = member_client.post(KEYS, data, **at_acme)

    assert message in response.content.decode()
    with tenant_context(acme):
        assert not member.api_keys.exists()


def test_a_member_revokes_a_key(member_client, acme, issued, at_acme):
    response = member_client.post(revoke_url(issued[0]), **at_acme)

    assert response.url == ACCOUNT
    with tenant_context(acme):
        assert ApiKey.objects.authenticate(issued[1]) is None


def test_a_key_is_not_revoked_by_get(member_client, issued, at_acme):
    assert member_client.get(revoke_url(issued[0]), **at_acme).status_code == 405


def test_another_members_key_is_not_found(client, acme, issued, at_acme):
    with tenant_context(acme):
        client.force_login(User.objects.create_user("other@example.com"))

    page = client.get(ACCOUNT, **at_acme)
    response = client.post(revoke_url(issued[0]), **at_acme)

    assert "weekly report" not in page.content.decode()
    assert response.status_code == 404
    with tenant_context(acme):
        assert ApiKey.objects.authenticate(issued[1]) is not None


def test_another_tenants_equal_account_neither_sees_nor_revokes_the_key(
    client, acme, globex, issued, twin, at_globex
):
    with tenant_context(globex):
        client.force_login(twin)

    page = client.get(ACCOUNT, **at_globex)
    response = client.post(revoke_url(issued[0]), **at_globex)

    assert "weekly report" not in page.content.decode()
    assert response.status_code == 404
    with tenant_context(acme):
        assert ApiKey.objects.authenticate(issued[1]) is not None


@pytest.fixture
def operator_client(client, db):
    client.force_login(User.objects.create_superuser("operator@example.com"))
    return client


def test_the_operators_site_issues_no_keys_for_an_api_that_it_lacks(operator_client):
    at_public = {"headers": {"host": "localhost"}}

    page = operator_client.get(ACCOUNT, **at_public)
    issued = operator_client.post(KEYS, {"name": "x", "lifetime": "30"}, **at_public)

    assert page.status_code == 200
    assert "API key" not in page.content.decode()
    assert issued.status_code == 404
    assert not ApiKey.objects.exists()


def test_a_key_that_an_operator_has_from_before_can_be_revoked(operator_client):
    at_public = {"headers": {"host": "localhost"}}
    key, _ = ApiKey.objects.issue(User.objects.get(), "old")

    html = operator_client.get(ACCOUNT, **at_public).content.decode()
    operator_client.post(revoke_url(key), **at_public)

    key.refresh_from_db()
    assert "This site has no API" in html
    assert "Issue" not in html
    assert key.state == "revoked"
