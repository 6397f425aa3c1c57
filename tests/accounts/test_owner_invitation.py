import re
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from apps.accounts.invitations import AcceptedError, describe_invitation, find_owner, invite_owner
from apps.accounts.models import User
from tenants.context import tenant_context, unbound
from tenants.models import Tenant

from .conftest import PASSWORD
from .test_admin import closed_port

__all__ = ["closed_port"]

AT_PUBLIC = {"headers": {"host": "localhost"}}
NEW = {"new_password1": "another long passphrase 9", "new_password2": "another long passphrase 9"}


@pytest.fixture
def owner(acme):
    """The owner, as provisioning has left it."""
    with tenant_context(acme):
        return find_owner(acme)


@pytest.fixture
def page(operator, acme):
    return f"/admin/tenants/tenant/{acme.pk}/invitation/"


@pytest.fixture
def accepted(acme, owner):
    with tenant_context(acme):
        owner.set_password(PASSWORD)
        owner.save()
    return owner


def read(response):
    return response.content.decode()


def find_link(html):
    return re.search(r"http://\S+?/accounts/reset/[^<\s]+", html)[0]


def refresh(tenant, user):
    with tenant_context(tenant):
        user.refresh_from_db()
    return user


def follow(link, **at):
    return Client().get(urlsplit(link).path, **at)


def test_the_page_of_a_tenant_says_that_nobody_has_accepted_yet(operator, acme, owner, page):
    with tenant_context(acme):
        User.objects.filter(pk=owner.pk).update(invited_at=timezone.now())

    tenant_page = read(operator.get(f"/admin/tenants/tenant/{acme.pk}/change/", **AT_PUBLIC))
    own_page = read(operator.get(page, **AT_PUBLIC))

    assert "not accepted yet; the link works until" in tenant_page
    assert f'href="{page}"' in tenant_page
    assert "not accepted yet; the link works until" in own_page
    assert "/accounts/reset/" not in tenant_page + own_page


def test_the_operator_is_shown_a_link_that_sets_the_owners_password(
    operator, acme, owner, page, at_acme, mailoutbox
):
    form = {"email": acme.owner_email, "step": "show"}
    link = find_link(read(operator.post(page, form, **AT_PUBLIC)))
    browser = Client()
    opened = browser.get(urlsplit(link).path, **at_acme)
    saved = browser.post(opened.url, NEW, **at_acme)

    assert urlsplit(link).netloc == "acme.localhost:8000"
    assert saved.url == "/accounts/reset/done/"
    assert mailoutbox == []
    assert refresh(acme, owner).has_usable_password()


def test_the_invitation_is_sent_again(operator, acme, owner, page, at_acme, mailoutbox):
    response = operator.post(page, {"email": acme.owner_email, "step": "send"}, **AT_PUBLIC)
    html = read(operator.get(page, **AT_PUBLIC))

    assert response.url == page
    assert f"An invitation was sent to {acme.owner_email}." in html
    assert "/accounts/reset/" not in html
    (mail,) = mailoutbox
    assert mail.to == [acme.owner_email]
    assert follow(find_link(mail.body), **at_acme).status_code == 302


def test_the_link_of_one_tenant_is_not_valid_in_another(acme, globex, owner, at_acme, at_globex):
    with tenant_context(globex):  # the hardest case: the same account in every column
        User.objects.filter(pk=owner.pk).delete()
        User(pk=owner.pk, email=owner.email, password=owner.password).save(force_insert=True)

    link = invite_owner(acme, by_mail=False)

    assert "This link is not valid" in read(follow(link, **at_globex))
    assert "This link is not valid" in read(follow(link, **AT_PUBLIC))
    assert follow(link, **at_acme).status_code == 302
    assert connection.schema_name == "public"


@pytest.mark.parametrize("step", ["show", "send"])
@pytest.mark.parametrize("rights", [[], ["change_tenant", "view_tenant", "change_user", "view_user"]])
def test_only_operators_who_may_do_everything_get_there(client, acme, owner, step, rights, mailoutbox):
    clerk = User.objects.create_user("clerk@example.com", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client.force_login(clerk)
    page = f"/admin/tenants/tenant/{acme.pk}/invitation/"

    shown = client.get(page, **AT_PUBLIC)
    posted = client.post(page, {"email": acme.owner_email, "step": step}, **AT_PUBLIC)

    assert (shown.status_code, posted.status_code) == (403, 403)
    assert mailoutbox == []


def test_a_tenants_own_admin_has_no_such_page(admin_client, acme, at_acme):
    response = admin_client.get(f"/admin/tenants/tenant/{acme.pk}/invitation/", **at_acme)

    assert response.status_code == 404


@pytest.mark.parametrize("step", ["show", "send"])
def test_an_owner_who_has_accepted_is_out_of_reach(operator, acme, accepted, page, step, mailoutbox):
    html = read(operator.post(page, {"email": acme.owner_email, "step": step}, **AT_PUBLIC))

    assert "<dd>accepted</dd>" in html
    assert f"{acme.owner_email} has a password already, so there is no link to set the first one." in html
    assert "/accounts/reset/" not in html
    assert mailoutbox == []


def test_no_members_account_is_taken_over_by_naming_it_as_the_owner(acme, owner, member, mailoutbox):
    with pytest.raises(AcceptedError, match=r"^member@example\.com has a password already"):
        invite_owner(acme, "MEMBER@example.com", by_mail=False)

    assert not refresh(acme, member).is_superuser
    assert mailoutbox == []


def test_a_mistyped_address_is_corrected_and_the_old_link_ends(
    operator, acme, owner, page, at_acme, mailoutbox
):
    old = invite_owner(acme, by_mail=False)

    operator.post(page, {"email": "Right@example.com", "step": "send"}, **AT_PUBLIC)

    acme.refresh_from_db()
    assert acme.owner_email == "right@example.com"
    assert refresh(acme, owner).email == "right@example.com"
    assert mailoutbox[0].to == ["right@example.com"]
    assert "This link is not valid" in read(follow(old, **at_acme))


def test_after_the_owner_has_gone_another_one_is_invited(acme, accepted, mailoutbox):
    invite_owner(acme, "next@example.com")

    with tenant_context(acme):
        heir = User.objects.get(email="next@example.com")
    assert heir.is_superuser
    assert refresh(acme, accepted).email != heir.email
    assert Tenant.objects.get(pk=acme.pk).owner_email == "next@example.com"


def test_a_mail_server_that_is_away_is_reported_and_nothing_is_changed(
    operator, acme, owner, page, settings, closed_port
):
    smtp = "django.core.mail.backends.smtp.EmailBackend"
    options = {"host": "127.0.0.1", "port": closed_port}
    settings.MAILERS = {"default": {"BACKEND": smtp, "OPTIONS": options}}

    html = read(operator.post(page, {"email": "new@example.com", "step": "send"}, **AT_PUBLIC))

    assert "The mail could not be sent: [Errno" in html
    acme.refresh_from_db()
    assert refresh(acme, owner).email == acme.owner_email != "new@example.com"


def test_what_became_of_an_invitation(acme, owner):
    now = timezone.now()

    assert describe_invitation(None) == "there is no such account any more"
    assert describe_invitation(owner).startswith("not accepted yet")
    owner.invited_at = now - timedelta(days=3, minutes=1)
    assert describe_invitation(owner).startswith("not accepted yet; the link worked until ")
    owner.last_login = now
    assert describe_invitation(owner) == "accepted"


def test_showing_and_sending_are_recorded_without_the_link(operator, acme, owner, page, deeds):
    def post(step):
        return deeds(lambda: operator.post(page, {"email": acme.owner_email, "step": step}, **AT_PUBLIC))

    shown, sent = post("show"), post("send")

    who, on = "who=operator:operator@example.com", f"whose=acme on={acme.owner_email}"
    assert shown == [f'{who} what="show invitation" {on}']
    assert sent == [f'{who} what="send invitation" {on}']


def test_a_broken_tenant_has_a_page(operator, acme, owner):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE acme.accounts_user RENAME TO gone")

    response = operator.get(f"/admin/tenants/tenant/{acme.pk}/change/", **AT_PUBLIC)

    assert response.status_code == 200
    assert "unknown: " in read(response)


def test_the_command_sends_and_prints_the_link(acme, owner, at_acme, mailoutbox, capsys):
    call_command("invite_owner", schema="acme")
    call_command("invite_owner", schema="acme", no_mail=True)

    sent, shown = capsys.readouterr().out.splitlines()
    assert len(mailoutbox) == 1
    assert find_link(sent) in mailoutbox[0].body
    for line in (sent, shown):
        assert line.startswith(f"{acme.owner_email} sets a password at http://acme.localhost:8000/")
        assert follow(find_link(line), **at_acme).status_code == 302


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"schema": "nope"}, "--schema: no active tenant has the schema 'nope'."),
        ({"schema": "acme", "email": "x"}, "--email: Enter a valid email address."),
        ({"schema": "acme", "email": "member@example.com"}, "member@example.com has a password already"),
    ],
)
def test_the_command_says_what_is_wrong(acme, owner, member, options, message):
    with pytest.raises(CommandError) as caught:
        call_command("invite_owner", **options)

    assert str(caught.value).startswith(message)
    with unbound():
        assert Tenant.objects.get(pk=acme.pk).owner_email == acme.owner_email


@pytest.mark.parametrize("page", ["password_reset/", "password_reset/done/", "reset/MQ/x-y/"])
def test_the_pages_for_passwords_say_what_to_do_without_one(client, acme, at_acme, page):
    html = " ".join(read(client.get(f"/accounts/{page}", **at_acme)).split())

    assert re.search(r"ask whoever invited you to send (the invitation|it) again", html)
