import re

import pytest

from tenants.context import tenant_context

from .conftest import PASSWORD

RESET = "/accounts/password_reset/"
CHANGE = "/accounts/password_change/"
NEW = "another long passphrase 9"


def ask_for_link(client, mailoutbox, at, email="member@example.com"):
    client.post(RESET, {"email": email}, **at)
    return re.search(r"http://[^/]+(/\S+)", mailoutbox[-1].body)[1]


def new_password(value=NEW):
    return {"new_password1": value, "new_password2": value}


def test_a_reset_mail_goes_to_the_stored_address_and_names_the_site(client, member, at_acme, mailoutbox):
    response = client.post(RESET, {"email": "MEMBER@example.com"}, **at_acme)

    assert response.url == "/accounts/password_reset/done/"
    assert mailoutbox[0].to == ["member@example.com"]
    assert mailoutbox[0].subject == "Set a new password for acme.localhost:8000"
    assert "http://acme.localhost:8000/accounts/reset/" in mailoutbox[0].body
    assert "Hello Mia Member," in mailoutbox[0].body


@pytest.mark.parametrize("host", ["acme.localhost:6666", "acme.localhost.", "ACME.localhost.:80"])
def test_the_link_does_not_lead_where_the_request_says(client, member, mailoutbox, host):
    client.post(RESET, {"email": "member@example.com"}, headers={"host": host})

    assert "http://acme.localhost:8000/accounts/reset/" in mailoutbox[0].body
    assert mailoutbox[0].subject == "Set a new password for acme.localhost:8000"


def test_an_unknown_address_gets_the_same_answer_and_no_mail(client, member, at_acme, mailoutbox):
    response = client.post(RESET, {"email": "nobody@example.com"}, **at_acme)

    assert response.url == "/accounts/password_reset/done/"
    assert mailoutbox == []


@pytest.mark.parametrize("email", ["mem\x00ber@example.com", "member", "", "m" * 300 + "@example.com"])
def test_a_bad_address_gets_an_error_beside_its_field(client, member, at_acme, mailoutbox, email):
    response = client.post(RESET, {"email": email}, **at_acme)

    assert response.status_code == 200
    assert 'id="id_email_error"' in response.content.decode()
    assert mailoutbox == []


def test_the_link_sets_a_password_once(client, acme, member, at_acme, mailoutbox):
    link = ask_for_link(client, mailoutbox, at_acme)
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
    client, acme, member, at_acme, mailoutbox, value, message
):
    form = client.get(ask_for_link(client, mailoutbox, at_acme), **at_acme).url

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
    client, twin, globex, at_acme, at_globex, mailoutbox
):
    link = ask_for_link(client, mailoutbox, at_acme)

    abroad = client.get(link, **at_globex)
    at_home = client.get(link, **at_acme)

    assert "This link is not valid" in abroad.content.decode()
    assert at_home.status_code == 302


def test_another_tenant_refuses_a_link_that_was_opened_at_home(client, twin, at_acme, at_globex, mailoutbox):
    form = client.get(ask_for_link(client, mailoutbox, at_acme), **at_acme).url

    response = client.post(form, new_password(), **at_globex)

    assert "This link is not valid" in response.content.decode()


def test_another_tenants_member_cannot_ask_for_a_link(client, globex, member, at_globex, mailoutbox):
    client.post(RESET, {"email": member.email}, **at_globex)

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
