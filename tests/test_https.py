"""What browsers are told: cookies, headers, and who may read what this server stores."""

import json
import os
import re
import stat
import subprocess
import sys

import pytest
from django.conf import settings as project_settings
from django.contrib.auth import get_user_model
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from tenants.checks import check_cookies
from tenants.context import tenant_context

PASSWORD = "correct horse 7 battery"
NAMES = ["SESSION_COOKIE_NAME", "CSRF_COOKIE_NAME", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE"]
READ = "import json, project.settings as read; print(json.dumps({n: getattr(read, n, None) for n in %r}))"


def read_settings(**variables):
    """Return the settings that the environment leads to."""
    done = subprocess.run(
        [sys.executable, "-c", READ % NAMES],
        cwd=project_settings.BASE_DIR,
        env=os.environ | {"DATABASE_URL": "postgresql://nobody@:5432/none"} | variables,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_cookies_are_bound_to_their_host_where_there_is_https():
    assert list(read_settings(SITE_URL="https://example.com").values()) == [
        "__Host-sessionid",
        "__Host-csrftoken",
        True,
        True,
    ]


def test_without_https_browsers_would_refuse_such_names():
    assert list(read_settings(SITE_URL="http://localhost:8000").values()) == [None, None, False, False]


@pytest.fixture
def https(settings):
    names = {"SESSION": "__Host-sessionid", "CSRF": "__Host-csrftoken"}
    for kind, name in names.items():
        setattr(settings, f"{kind}_COOKIE_NAME", name)
        setattr(settings, f"{kind}_COOKIE_SECURE", True)
    settings.SECURE_SSL_REDIRECT = True


@pytest.mark.usefixtures("https")
def test_a_member_signs_in_with_cookies_that_no_other_host_can_set(client, acme):
    with tenant_context(acme):
        get_user_model().objects.create_user("mia@acme.example", PASSWORD)
    site = {"headers": {"host": acme.hostname}, "secure": True}
    client.get("/accounts/login/", **site)

    client.post("/accounts/login/", {"username": "mia@acme.example", "password": PASSWORD}, **site)

    assert client.cookies.keys() == {"__Host-sessionid", "__Host-csrftoken"}
    for cookie in client.cookies.values():
        assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", "")
        assert cookie["samesite"] == "Lax"
    assert client.cookies["__Host-sessionid"]["httponly"]
    assert client.get("/accounts/account/", **site).status_code == 200


@pytest.mark.usefixtures("https")
def test_a_cookie_under_the_former_name_signs_nobody_in(client, acme):
    with tenant_context(acme):
        client.force_login(get_user_model().objects.create_user("mia@acme.example", PASSWORD))
    client.cookies["sessionid"] = client.cookies.pop("__Host-sessionid").value

    response = client.get("/accounts/account/", headers={"host": acme.hostname}, secure=True)

    assert response.status_code == 302


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        (
            "SESSION_COOKIE_DOMAIN",
            ".example.com",
            "SESSION_COOKIE_DOMAIN is '.example.com': browsers would show",
        ),
        ("CSRF_COOKIE_DOMAIN", "example.com", "CSRF_COOKIE_DOMAIN is 'example.com': browsers would show"),
        (
            "SESSION_COOKIE_NAME",
            "__Host-x",
            "SESSION_COOKIE_NAME is '__Host-x': browsers take such a cookie only",
        ),
    ],
)
def test_cookies_that_other_tenants_see_or_browsers_refuse_are_an_error(settings, name, value, fault):
    assert check_cookies() == []
    setattr(settings, name, value)

    (found,) = check_cookies()

    assert found.id == "tenants.E012"
    assert found.msg.startswith(fault)


@pytest.mark.parametrize("host", ["acme.localhost", "localhost"])
@pytest.mark.parametrize("path", ["/", "/accounts/login/", "/admin/login/", "/missing/"])
def test_every_page_forbids_what_it_does_not_need(client, acme, host, path):
    headers = client.get(path, headers={"host": host}).headers

    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=(), " in headers["Permissions-Policy"]


def test_others_on_this_machine_do_not_read_uploads(acme, own_media):
    with tenant_context(acme):
        path = default_storage.path(default_storage.save("a/b.txt", ContentFile(b"secret")))

    modes = [
        stat.S_IMODE(os.stat(each).st_mode) for each in (path, os.path.dirname(path), own_media / "acme")
    ]
    assert modes == [0o640, 0o750, 0o750]


def test_others_on_this_machine_do_not_read_the_settings():
    makefile = (project_settings.BASE_DIR / "Makefile").read_text()
    rule = re.search(r"^\.env:\n((?:\t.+\n)+)", makefile, re.MULTILINE)

    assert "\t@install -m 600 .env.example .env\n" in rule[1]
