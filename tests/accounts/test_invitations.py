import re
from urllib.parse import urlsplit

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.urls import set_urlconf

from apps.accounts.invitations import create_owner, invite
from apps.accounts.models import User
from tenants.context import tenant_context

ACME = "http://acme.localhost:8000"
NEW = {"new_password1": "another long passphrase 9", "new_password2": "another long passphrase 9"}


@pytest.fixture
def invited(db, acme):
    with tenant_context(acme):
        return User.objects.create_user("new@example.com", name="Nora <New>")


def test_an_invitation_mails_the_link_and_returns_it(acme, invited, mailoutbox):
    with tenant_context(acme):
        link = invite(invited, base_url=ACME + "/")

    (mail,) = mailoutbox
    assert link.startswith(f"{ACME}/accounts/reset/")
    assert mail.to == ["new@example.com"]
    assert mail.subject == "You are invited to acme.localhost:8000"
    assert link in mail.body.splitlines()
    assert "Hello Nora <New>," in mail.body
    assert re.search(r"The link works once, until \d+ \w+ \d{4}, \d\d:\d\d UTC\.", mail.body)


def test_the_invited_person_sets_a_password_and_signs_in(client, acme, invited, at_acme, mailoutbox):
    with tenant_context(acme):
        link = urlsplit(invite(invited, base_url=ACME)).path

    form = client.get(link, **at_acme).url
    done = client.post(form, NEW, **at_acme)
    signed_in = client.post(
        "/accounts/login/", {"username": "new@example.com", "password": NEW["new_password1"]}, **at_acme
    )

    assert done.url == "/accounts/reset/done/"
    assert signed_in.url == "/"


def test_the_link_leads_to_the_members_site_when_the_operators_site_made_it(acme, invited, settings):
    set_urlconf(settings.PUBLIC_SCHEMA_URLCONF)
    try:
        with tenant_context(acme):
            link = invite(invited, base_url=ACME)
    finally:
        set_urlconf(None)

    assert link.startswith(f"{ACME}/accounts/reset/")


@pytest.mark.parametrize(
    "base_url", ["", "acme.localhost", "ftp://acme.localhost", "http://", "javascript:x"]
)
def test_a_base_url_that_is_no_site_is_refused_and_no_mail_sent(acme, invited, mailoutbox, base_url):
    with (
        tenant_context(acme),
        pytest.raises(ValueError, match=r"is not a site's address\."),
    ):
        invite(invited, base_url=base_url)

    assert mailoutbox == []


def test_an_inactive_account_is_not_invited(acme, invited, mailoutbox):
    invited.is_active = False

    with tenant_context(acme), pytest.raises(ValueError, match=r"new@example.com is not active; only an"):
        invite(invited, base_url=ACME)

    assert mailoutbox == []


def test_create_owner_makes_an_account_with_all_rights_and_invites_it(db, acme, mailoutbox):
    with tenant_context(acme):
        link = create_owner("Owner@example.com", base_url=ACME)
        owner = User.objects.get(email="owner@example.com")

    assert (owner.is_staff, owner.is_superuser, owner.has_usable_password()) == (True, True, False)
    assert link in mailoutbox[0].body


def test_create_owner_may_run_twice(acme, member, mailoutbox):
    with tenant_context(acme):
        create_owner("MEMBER@example.com", base_url=ACME)
        create_owner("member@example.com", base_url=ACME)
        owner = User.objects.get(email="member@example.com")

    assert owner.pk == member.pk
    assert owner.is_superuser
    assert len(mailoutbox) == 2


def test_create_owner_refuses_what_is_no_address(db, acme):
    with tenant_context(acme), pytest.raises(ValidationError, match="'owner' is not an e-mail address"):
        create_owner("owner", base_url=ACME)


def test_another_tenant_refuses_the_invitation_even_for_an_equal_account(
    client, acme, twin, member, at_globex
):
    with tenant_context(acme):
        link = urlsplit(invite(member, base_url=ACME)).path

    response = client.get(link, **at_globex)

    assert "This link is not valid" in response.content.decode()
    assert connection.schema_name == "public"


def test_an_owner_of_one_tenant_is_nobody_in_another(db, acme, globex):
    with tenant_context(acme):
        create_owner("owner@example.com", base_url=ACME)

    with tenant_context(globex):
        assert not User.objects.filter(email="owner@example.com").exists()
