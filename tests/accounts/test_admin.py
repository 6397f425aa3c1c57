import socket

import pytest

from apps.accounts.models import ApiKey, User
from tenants.context import tenant_context

from .conftest import PASSWORD

USERS = "/admin/accounts/user/"
KEYS = "/admin/accounts/apikey/"


@pytest.fixture
def issued(acme, member):
    with tenant_context(acme):
        return ApiKey.objects.issue(member, "weekly report")


@pytest.fixture
def closed_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def choose(client, url, action, *objects, at):
    return client.post(url, {"action": action, "_selected_action": [o.pk for o in objects]}, **at)


def test_the_admin_signs_in_by_address_in_any_case(client, admin_member, at_acme):
    form = {"username": "BOSS@example.com", "password": PASSWORD}

    response = client.post("/admin/login/?next=/admin/", form, **at_acme)

    assert (response.status_code, response.url) == (302, "/admin/")


@pytest.mark.parametrize("password", ["p" * 4096, "pass\x00word"])
def test_the_admin_answers_a_bad_password_with_its_form(client, admin_member, at_acme, password):
    response = client.post("/admin/login/", {"username": admin_member.email, "password": password}, **at_acme)

    assert response.status_code == 200
    assert response.context["form"].errors


def test_users_are_listed_and_found_by_address(admin_client, member, at_acme):
    html = admin_client.get(USERS + "?q=MEMBER@", **at_acme).content.decode()

    assert "member@example.com" in html
    assert "Mia Member" in html


def test_a_user_is_added_with_a_password(admin_client, acme, at_acme):
    form = {"email": "New@Example.com", "name": "", "usable_password": "true"}

    response = admin_client.post(
        USERS + "add/", form | {"password1": PASSWORD, "password2": PASSWORD}, **at_acme
    )

    assert response.status_code == 302
    with tenant_context(acme):
        assert User.objects.get(email="new@example.com").check_password(PASSWORD)


def test_a_user_is_added_without_a_password_to_be_invited(admin_client, acme, at_acme):
    form = {"email": "new@example.com", "name": "", "usable_password": "false"}

    admin_client.post(USERS + "add/", form, **at_acme)

    with tenant_context(acme):
        assert not User.objects.get(email="new@example.com").has_usable_password()


def test_a_taken_address_is_refused_in_any_case(admin_client, member, at_acme):
    form = {"email": "MEMBER@example.com", "usable_password": "false"}

    response = admin_client.post(USERS + "add/", form, **at_acme)

    assert response.context["adminform"].form.errors == {
        "email": ["An account with this e-mail address exists already."]
    }


def test_a_user_is_changed(admin_client, acme, member, at_acme):
    form = {"email": "Renamed@example.com", "name": "Renamed", "is_active": "on"}

    response = admin_client.post(f"{USERS}{member.pk}/change/", form, **at_acme)

    assert response.status_code == 302
    with tenant_context(acme):
        member.refresh_from_db()
    assert (member.email, member.name) == ("renamed@example.com", "Renamed")


def test_the_admin_refuses_a_password_that_the_sign_in_form_would_refuse(admin_client, member, at_acme):
    form = {"password1": "p" * 1025, "password2": "p" * 1025, "usable_password": "true"}

    response = admin_client.post(f"{USERS}{member.pk}/password/", form, **at_acme)

    assert "A password may have at most 1,024 characters." in response.content.decode()


def test_chosen_users_are_invited(admin_client, member, at_acme, mailoutbox):
    response = choose(admin_client, USERS, "send_invitation", member, at=at_acme)
    html = admin_client.get(USERS, **at_acme).content.decode()

    assert response.status_code == 302
    assert "An invitation was sent to member@example.com." in html
    assert "http://acme.localhost:8000/accounts/reset/" in mailoutbox[0].body


def test_an_inactive_user_is_not_invited_and_the_admin_says_why(
    admin_client, acme, member, at_acme, mailoutbox
):
    with tenant_context(acme):
        User.objects.filter(pk=member.pk).update(is_active=False)

    choose(admin_client, USERS, "send_invitation", member, at=at_acme)

    html = admin_client.get(USERS, **at_acme).content.decode()
    assert "No invitation was sent to member@example.com: member@example.com is not active" in html
    assert mailoutbox == []


def test_a_site_without_password_pages_does_not_offer_invitations(
    admin_client, member, at_acme, settings, mailoutbox
):
    settings.ROOT_URLCONF = "tests.accounts.admin_urls"

    choose(admin_client, USERS, "send_invitation", member, at=at_acme)

    html = admin_client.get(USERS, **at_acme).content.decode()
    assert "send_invitation" not in html
    assert mailoutbox == []


def test_a_mail_server_that_does_not_answer_is_reported(admin_client, member, at_acme, settings, closed_port):
    smtp = "django.core.mail.backends.smtp.EmailBackend"
    options = {"host": "127.0.0.1", "port": closed_port}
    settings.MAILERS = {"default": {"BACKEND": smtp, "OPTIONS": options}}

    choose(admin_client, USERS, "send_invitation", member, at=at_acme)

    html = admin_client.get(USERS, **at_acme).content.decode()
    assert "No invitation was sent to member@example.com: [Errno" in html


def test_deleting_a_user_deletes_the_keys(admin_client, acme, member, issued, at_acme):
    response = admin_client.post(f"{USERS}{member.pk}/delete/", {"post": "yes"}, **at_acme)

    assert response.status_code == 302
    with tenant_context(acme):
        assert not ApiKey.objects.exists()


def test_another_tenants_admin_sees_none_of_it(client, acme, globex, member, issued, at_globex):
    with tenant_context(globex):
        client.force_login(User.objects.create_superuser("globex-boss@example.com"))

    users = client.get(USERS, **at_globex).content.decode()
    keys = client.get(KEYS, **at_globex).content.decode()

    assert "globex-boss@example.com" in users
    assert member.email not in users
    assert "weekly report" not in keys


def test_another_tenants_admin_does_not_know_the_session(admin_client, globex, at_globex):
    response = admin_client.get(USERS, **at_globex)

    assert response.url == f"/admin/login/?next={USERS}"


def test_the_operators_admin_lists_accounts_and_changes_a_password(client, db):
    client.force_login(User.objects.create_superuser("operator@example.com", PASSWORD))
    public = {"headers": {"host": "localhost"}}

    users = client.get(USERS, **public).content.decode()
    form = client.get("/admin/password_change/", **public).content.decode()
    done = client.get("/admin/password_change/done/", **public).content.decode()

    assert "operator@example.com" in users
    assert "send_invitation" in users
    assert "Change your password</h1>" in form
    assert "Your password is changed</h1>" in done
