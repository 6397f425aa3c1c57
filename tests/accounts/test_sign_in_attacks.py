"""Attacks on the sign-in: where it leads to, and what its work tells of accounts."""

from urllib.parse import urljoin, urlsplit

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher

from apps.accounts.models import User
from tenants.context import tenant_context

from .conftest import PASSWORD

LOGIN = "/accounts/login/"


@pytest.mark.parametrize(
    "target",
    [
        "http://evil.example/",
        "https://evil.example/",
        "//evil.example/",
        "///evil.example/",
        "/\\evil.example/",
        "\\\\evil.example/",
        "http:evil.example",
        "http:///evil.example/",
        "javascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "\thttp://evil.example/",
        "http://acme.localhost@evil.example/",
        "http://acme.localhost.evil.example/",
        "http://globex.localhost/",
        "http://localhost/admin/",
    ],
)
def test_sign_in_goes_on_to_no_other_site(client, member, at_acme, target):
    form = {"username": member.email, "password": PASSWORD, "next": target}

    response = client.post(LOGIN, form, **at_acme)
    there = urlsplit(urljoin("http://acme.localhost/accounts/login/", response.url))

    assert response.status_code == 302
    assert (there.scheme, there.netloc) == ("http", "acme.localhost")


@pytest.fixture
def hashed(monkeypatch):
    """The passwords that were hashed, which is nearly all of the time that a sign-in takes."""
    passwords, encode = [], MD5PasswordHasher.encode

    def count(self, password, *arguments, **options):
        passwords.append(password)
        return encode(self, password, *arguments, **options)

    monkeypatch.setattr(MD5PasswordHasher, "encode", count)
    return passwords


def test_the_work_of_a_refused_sign_in_tells_nothing_of_an_account(
    client, member, acme, globex, at_acme, hashed
):
    with tenant_context(acme):
        User.objects.create_user("gone@example.com", PASSWORD, is_active=False)
        User.objects.create_user("invited@example.com")
    with tenant_context(globex):
        User.objects.create_user("other@example.com", PASSWORD)
    work = {}

    for name in ("member", "gone", "invited", "other", "nobody"):
        hashed.clear()
        response = client.post(LOGIN, {"username": f"{name}@example.com", "password": "wrong"}, **at_acme)
        work[name] = (response.status_code, len(hashed))

    assert set(work.values()) == {(200, 1)}, work
