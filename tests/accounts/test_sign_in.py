import pytest
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session

from apps.accounts.models import User
from tenants.context import tenant_context

from .conftest import PASSWORD

LOGIN = "/accounts/login/"
ACCOUNT = "/accounts/account/"
REFUSAL = "This e-mail address and password do not belong to an active account here."


def credentials(email="member@example.com", password=PASSWORD):
    return {"username": email, "password": password}


def test_the_form_asks_for_an_address_and_a_password_with_labels(client, db, acme, at_acme):
    html = client.get(LOGIN, **at_acme).content.decode()

    assert '<label for="id_username">E-mail address:</label>' in html
    assert '<label for="id_password">Password:</label>' in html
    assert 'autocomplete="current-password"' in html


@pytest.mark.parametrize("email", ["member@example.com", "MEMBER@Example.com", " member@example.com "])
def test_a_member_signs_in_in_any_case(client, member, at_acme, email):
    response = client.post(LOGIN, credentials(email), **at_acme)

    assert response.status_code == 302
    assert response.url == "/"
    assert client.get(ACCOUNT, **at_acme).status_code == 200


def test_sign_in_goes_on_to_the_page_that_asked_for_it(client, member, at_acme):
    refused = client.get(ACCOUNT, **at_acme)

    response = client.post(LOGIN, credentials() | {"next": ACCOUNT}, **at_acme)

    assert refused.url == f"{LOGIN}?next={ACCOUNT}"
    assert response.url == ACCOUNT


def test_sign_in_does_not_go_on_to_another_site(client, member, at_acme):
    response = client.post(LOGIN, credentials() | {"next": "http://globex.localhost/"}, **at_acme)

    assert response.url == "/"


def test_a_signed_in_member_is_sent_on_from_the_form(member_client, at_acme):
    response = member_client.get(LOGIN, **at_acme)

    assert (response.status_code, response.url) == (302, "/")


@pytest.mark.parametrize(
    ("email", "password"), [("member@example.com", "wrong"), ("nobody@example.com", PASSWORD)]
)
def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(
    client, member, at_acme, email, password
):
    response = client.post(LOGIN, credentials(email, password), **at_acme)

    assert response.status_code == 200
    assert REFUSAL in response.content.decode()


def test_an_inactive_member_is_refused(client, acme, member, at_acme):
    member.is_active = False
    with tenant_context(acme):
        member.save()

    response = client.post(LOGIN, credentials(), **at_acme)

    assert REFUSAL in response.content.decode()


@pytest.mark.parametrize(
    ("email", "password", "field", "message"),
    [
        ("mem\x00ber@example.com", PASSWORD, "username", "Null characters are not allowed."),
        ("member@example.com", "pass\x00word", "password", "Null characters are not allowed."),
        ("member", PASSWORD, "username", "Enter a valid email address."),
        ("мия@example.com", PASSWORD, "username", "Enter a valid email address."),
        ("m" * 300 + "@example.com", PASSWORD, "username", "at most 254 characters"),
        ("member@example.com", "p" * 4096, "password", "A password may have at most 1,024 characters."),
        ("member@example.com", "p" * 1025, "password", "A password may have at most 1,024 characters."),
        ("", "", "username", "This field is required."),
    ],
    ids=["nul-email", "nul-password", "no-at", "cyrillic", "long-email", "4096", "1025", "empty"],
)
def test_bad_input_gets_an_error_beside_its_field(client, member, at_acme, email, password, field, message):
    response = client.post(LOGIN, credentials(email, password), **at_acme)

    assert response.status_code == 200
    assert any(message in error for error in response.context["form"].errors[field])
    assert f'id="id_{field}_error"' in response.content.decode()


def test_signing_out_ends_the_session_and_needs_post(member_client, acme, at_acme):
    by_get = member_client.get("/accounts/logout/", **at_acme)
    by_post = member_client.post("/accounts/logout/", **at_acme)

    assert by_get.status_code == 405
    assert by_post.status_code == 302
    assert member_client.get(ACCOUNT, **at_acme).status_code == 302
    with tenant_context(acme):
        assert not Session.objects.exists()


def test_another_tenants_member_cannot_sign_in(client, globex, member, at_globex):
    response = client.post(LOGIN, credentials(), **at_globex)

    assert response.status_code == 200
    assert REFUSAL in response.content.decode()
    assert settings.SESSION_COOKIE_NAME not in client.cookies


def test_another_tenant_does_not_know_the_session(member_client, twin, at_acme, at_globex):
    at_home = member_client.get(ACCOUNT, **at_acme)
    abroad = member_client.get(ACCOUNT, **at_globex)

    assert at_home.status_code == 200
    assert abroad.url == f"{LOGIN}?next={ACCOUNT}"


def test_a_session_row_copied_into_another_tenant_is_still_refused(
    member_client, acme, twin, globex, at_globex
):
    with tenant_context(acme):
        row = Session.objects.get()
        at_home = row.get_decoded()
    with tenant_context(globex):
        Session(row.session_key, row.session_data, row.expire_date).save(force_insert=True)
        elsewhere = row.get_decoded()

    response = member_client.get(ACCOUNT, **at_globex)

    assert SESSION_KEY in at_home
    assert elsewhere == {}
    assert response.url == f"{LOGIN}?next={ACCOUNT}"


@pytest.mark.parametrize("backend", ["signed_cookies", "cache"])
def test_another_session_engine_does_not_let_the_session_into_another_tenant(
    client, member, twin, at_acme, at_globex, settings, backend
):
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{backend}"
    client.post(LOGIN, credentials(), **at_acme)

    at_home = client.get(ACCOUNT, **at_acme)
    abroad = client.get(ACCOUNT, **at_globex)

    assert at_home.status_code == 200
    assert abroad.url == f"{LOGIN}?next={ACCOUNT}"


def test_an_operator_is_nobody_in_a_tenant(client, acme, at_acme):
    operator = User.objects.create_superuser("operator@example.com", PASSWORD)
    client.force_login(operator)

    by_session = client.get(ACCOUNT, **at_acme)
    by_password = client.post(LOGIN, credentials(operator.email), **at_acme)

    assert by_session.url == f"{LOGIN}?next={ACCOUNT}"
    assert REFUSAL in by_password.content.decode()
