import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_tasks_db.models import DBTaskResult

from apps.accounts.models import ApiKey, User
from apps.accounts.tasks import mail_password_link
from tenants.context import tenant_context
from tenants.queue.backend import SCHEMA_KEY

from .conftest import PASSWORD
from .test_admin import closed_port

__all__ = ["closed_port"]

AT_PUBLIC = {"headers": {"host": "localhost"}}

RESET = "/accounts/password_reset/"
CHANGE = "/accounts/password_change/"
NEW = "another long passphrase 9"


@pytest.fixture
def ask(client, run_tasks):
    """Ask for a link; a worker then mails it."""

    def post(email="member@example.com", **at):
        response = client.post(RESET, {"email": email}, **at)
        run_tasks()
        return response

    return post


@pytest.fixture
def ask_for_link(ask, mailoutbox):
    def get_path(at):
        ask(**at)
        return re.search(r"http://[^/]+(/\S+)", mailoutbox[-1].body)[1]

    return get_path


def new_password(value=NEW):
    return {"new_password1": value, "new_password2": value}


def test_a_reset_mail_goes_to_the_stored_address_and_names_the_site(ask, member, at_acme, mailoutbox):
    response = ask("MEMBER@example.com", **at_acme)

    assert response.url == "/accounts/password_reset/done/"
    assert mailoutbox[0].to == ["member@example.com"]
    assert mailoutbox[0].subject == "Set a new password for acme.localhost:8000"
    assert "http://acme.localhost:8000/accounts/reset/" in mailoutbox[0].body
    assert "Hello Mia Member," in mailoutbox[0].body


@pytest.mark.parametrize("host", ["acme.localhost:6666", "acme.localhost.", "ACME.localhost.:80"])
def test_the_link_does_not_lead_where_the_request_says(ask, member, mailoutbox, host):
    ask("member@example.com", headers={"host": host})

    assert "http://acme.localhost:8000/accounts/reset/" in mailoutbox[0].body
    assert mailoutbox[0].subject == "Set a new password for acme.localhost:8000"


def test_an_unknown_address_gets_the_same_answer_and_no_mail(ask, member, at_acme, mailoutbox):
    response = ask("nobody@example.com", **at_acme)

    assert response.url == "/accounts/password_reset/done/"
    assert mailoutbox == []


@pytest.mark.parametrize("email", ["mem\x00ber@example.com", "member", "", "m" * 300 + "@example.com"])
def test_a_bad_address_gets_an_error_beside_its_field(ask, member, at_acme, mailoutbox, email):
    response = ask(email, **at_acme)

    assert response.status_code == 200
    assert 'id="id_email_error"' in response.content.decode()
    assert mailoutbox == []


def test_the_link_sets_a_password_once(client, acme, member, at_acme, ask_for_link):
    link = ask_for_link(at_acme)
    form = client.get(link, **at_acme).url

    saved = client.post(form, new_password(), **at_acme)
    again = client.get(link, **at_acme)

    assert saved.url == "/accounts/reset/done/"
    assert "This link is not valid" in again.content.decode()
    with tenant_context(acme):
        member.refresh_from_db()
        assert member.check_password(NEW)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("p" * 4096, "A password may have at most 1,024 characters."),
        ("pass\x00word phrase", "Null characters are not allowed."),
        ("short", "This password is too short."),
    ],
)
def test_a_bad_new_password_is_refused_with_the_reason(
    client, acme, member, at_acme, ask_for_link, value, message
):
    form = client.get(ask_for_link(at_acme), **at_acme).url

    response = client.post(form, new_password(value), **at_acme)

    assert message in response.content.decode()
    with tenant_context(acme):
        member.refresh_from_db()
        assert member.check_password(PASSWORD)


@pytest.mark.parametrize("uid", ["MQ", "x", "AA", "_" * 500, "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5"])
@pytest.mark.parametrize("token", ["set-password", "x-y", "c-" + "0" * 4096, "%00", "é"])
def test_a_made_up_link_is_answered_with_a_page_that_says_so(client, db, acme, at_acme, uid, token):
    response = client.get(f"/accounts/reset/{uid}/{token}/", **at_acme)

    assert response.status_code == 200
    assert "This link is not valid" in response.content.decode()


def test_another_tenant_refuses_the_link_even_for_an_equal_account(
    client, twin, globex, at_acme, at_globex, ask_for_link
):
    link = ask_for_link(at_acme)

    abroad = client.get(link, **at_globex)
    at_home = client.get(link, **at_acme)

    assert "This link is not valid" in abroad.content.decode()
    assert at_home.status_code == 302


def test_another_tenant_refuses_a_link_that_was_opened_at_home(
    client, twin, at_acme, at_globex, ask_for_link
):
    form = client.get(ask_for_link(at_acme), **at_acme).url

    response = client.post(form, new_password(), **at_globex)

    assert "This link is not valid" in response.content.decode()


def test_another_tenants_member_cannot_ask_for_a_link(ask, globex, member, at_globex, mailoutbox):
    ask(member.email, **at_globex)

    assert mailoutbox == []


def test_a_member_changes_the_password_and_stays_signed_in(member_client, acme, member, at_acme):
    response = member_client.post(CHANGE, {"old_password": PASSWORD} | new_password(), **at_acme)

    assert response.url == "/accounts/password_change/done/"
    assert member_client.get("/accounts/account/", **at_acme).status_code == 200
    with tenant_context(acme):
        member.refresh_from_db()
        assert member.check_password(NEW)


def test_the_old_password_must_be_right(member_client, at_acme):
    response = member_client.post(CHANGE, {"old_password": "wrong"} | new_password(), **at_acme)

    assert "Your old password was entered incorrectly." in response.content.decode()


@pytest.mark.parametrize("page", ["password_reset/", "password_reset/done/", "reset/done/"])
def test_every_password_page_has_one_heading(client, db, acme, at_acme, page):
    html = client.get(f"/accounts/{page}", **at_acme).content.decode()

    assert html.count("<h1") == 1


@pytest.mark.parametrize("page", ["password_change/", "password_change/done/"])
def test_the_pages_for_changing_a_password_are_for_members(client, member_client, at_acme, page):
    html = member_client.get(f"/accounts/{page}", **at_acme).content.decode()
    member_client.cookies.clear()

    assert html.count("<h1") == 1
    assert client.get(f"/accounts/{page}", **at_acme).status_code == 302


@pytest.mark.parametrize("who", ["member", "nobody", "invited", "inactive"])
def test_a_request_for_a_link_is_the_same_work_for_every_address(
    client, acme, member, who, at_acme, mailoutbox, as_owner
):
    with tenant_context(acme):
        User.objects.create_user("invited@example.com")
        User.objects.create_user("inactive@example.com", PASSWORD, is_active=False)

    def list_work(address):
        with CaptureQueriesContext(connection) as queries:
            client.post(RESET, {"email": f"{address}@example.com"}, **at_acme)
        (task,) = DBTaskResult.objects.all()
        task.delete()
        statements = [re.sub(r"'[^']*'|\d+", "?", query["sql"]) for query in queries]
        return statements, task.task_path, [type(value) for value in task.args_kwargs["args"]]

    list_work("warm-up")

    assert list_work(who) == list_work("somebody")
    assert mailoutbox == []


def test_a_task_for_a_link_holds_no_address(client, member, at_acme, as_owner):
    client.post(RESET, {"email": member.email}, **at_acme)

    (task,) = DBTaskResult.objects.all()
    assert task.args_kwargs["args"] == [member.pk, "acme.localhost"]
    assert member.email not in str(task.args_kwargs)


def test_only_the_account_with_a_password_gets_the_mail(ask, acme, member, at_acme, mailoutbox):
    with tenant_context(acme):
        User.objects.create_user("invited@example.com")
        User.objects.create_user("inactive@example.com", PASSWORD, is_active=False)

    for who in ("nobody", "invited", "inactive", "member"):
        ask(f"{who}@example.com", **at_acme)

    assert [mail.to for mail in mailoutbox] == [["member@example.com"]]


@pytest.mark.parametrize("host", ["globex.localhost", "localhost", "evil.example"])
def test_a_task_that_names_a_host_of_somebody_else_mails_nothing(acme, globex, member, host, mailoutbox):
    mail_password_link.call(member.pk, host, **{SCHEMA_KEY: "acme"})
    mail_password_link.call(member.pk, "acme.localhost", **{SCHEMA_KEY: "acme"})

    (mail,) = mailoutbox
    assert "http://acme.localhost:8000/accounts/reset/" in mail.body


def test_an_operator_gets_a_link_to_the_operators_site(ask, client, db, mailoutbox):
    User.objects.create_superuser("olga@example.com", PASSWORD)

    ask("olga@example.com", **AT_PUBLIC)

    link = re.search(r"http://localhost:8000(/\S+)", mailoutbox[0].body)[1]
    assert client.get(link, **AT_PUBLIC).status_code == 302


def test_a_mail_server_that_is_away_fails_the_task_and_not_the_request(
    ask, member, at_acme, settings, closed_port, as_owner
):
    smtp = "django.core.mail.backends.smtp.EmailBackend"
    settings.MAILERS = {"default": {"BACKEND": smtp, "OPTIONS": {"host": "127.0.0.1", "port": closed_port}}}

    response = ask(**at_acme)

    assert response.url == "/accounts/password_reset/done/"
    assert DBTaskResult.objects.get().status == "FAILED"


@pytest.fixture
def keys(acme, member):
    """A key that works, one that is revoked already, and one of somebody else's."""
    with tenant_context(acme):
        other = User.objects.create_user("other@example.com", PASSWORD)
        used, revoked, others = (
            ApiKey.objects.issue(user, name)[0]
            for user, name in ((member, "used"), (member, "revoked"), (other, "others"))
        )
        revoked.revoke()
    return used, revoked, others


def list_active(tenant):
    with tenant_context(tenant):
        return sorted(ApiKey.objects.active().values_list("name", flat=True))


@pytest.mark.parametrize("page", [CHANGE, "/admin/password_change/"])
@pytest.mark.parametrize("revokes", [True, False])
def test_whoever_changes_the_password_may_revoke_the_keys(
    client, acme, globex, member, keys, at_acme, page, revokes
):
    with tenant_context(globex):
        ApiKey.objects.issue(User.objects.create_user("far@example.com"), "far")
    with tenant_context(acme):
        User.objects.filter(pk=member.pk).update(is_staff=True)
        client.force_login(member)
    form = {"old_password": PASSWORD} | new_password() | ({"revoke_keys": "yes"} if revokes else {})

    html = client.get(page, **at_acme).content.decode()
    response = client.post(page, form, **at_acme)

    assert "API keys (1 active)" in html
    assert response.status_code == 302
    assert list_active(acme) == (["others"] if revokes else ["others", "used"])
    assert list_active(globex) == ["far"]


def test_whoever_sets_the_password_by_a_link_may_revoke_the_keys(
    client, acme, member, keys, at_acme, ask_for_link
):
    form = client.get(ask_for_link(at_acme), **at_acme).url

    html = client.get(form, **at_acme).content.decode()
    client.post(form, new_password() | {"revoke_keys": "yes"}, **at_acme)

    assert "API keys (1 active)" in html
    assert list_active(acme) == ["others"]


def test_an_admin_who_sets_a_members_password_may_revoke_the_keys(admin_client, acme, member, keys, at_acme):
    page = f"/admin/accounts/user/{member.pk}/password/"
    form = {"password1": NEW, "password2": NEW, "usable_password": "true", "revoke_keys": "yes"}

    html = admin_client.get(page, **at_acme).content.decode()
    response = admin_client.post(page, form | {"set-password": ""}, **at_acme)

    assert "API keys (1 active)" in html
    assert response.status_code == 302
    assert list_active(acme) == ["others"]


def test_without_keys_nothing_is_offered(member_client, at_acme):
    assert "API key" not in member_client.get(CHANGE, **at_acme).content.decode()
