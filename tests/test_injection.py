"""Whatever somebody writes into a form or an address is text on every page."""

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model

from apps.accounts.models import ApiKey
from tenants.context import tenant_context
from tenants.models import Tenant
from tests.models_app.models import Note

SCRIPT = "<script>alert(1)</script>"
HOSTILE = f"\"'>{SCRIPT}<img src=x onerror=alert(1)>"
QUERY = {"q": HOSTILE, "next": HOSTILE, "mode": HOSTILE, "index": HOSTILE, "filter": HOSTILE, "o": HOSTILE}
ANONYMOUS = [
    "/",
    "/search/",
    "/accounts/login/",
    "/accounts/password_reset/",
    "/accounts/reset/x/y/",
    "/admin/login/",
]
MEMBERS = [
    *("/", "/search/", "/accounts/account/", "/accounts/password_change/", "/admin/", "/admin/notes/note/"),
    *(
        "/admin/notes/note/{note}/change/",
        "/admin/notes/note/{note}/history/",
        "/admin/notes/note/{note}/delete/",
    ),
    *("/admin/accounts/user/", "/admin/accounts/user/{user}/change/", "/admin/auth/group/"),
    "/search/quality/",
]
OPERATORS = [
    "/",
    "/admin/",
    "/admin/tenants/tenant/",
    "/admin/tenants/tenant/{tenant}/change/",
    "/admin/login/",
]


@pytest.fixture
def planted(acme):
    with tenant_context(acme):
        user = get_user_model().objects.create_superuser("boss@acme.example", name=HOSTILE)
        ApiKey.objects.issue(user, HOSTILE)
        note = Note.objects.create(title=HOSTILE, body=HOSTILE, key="hostile")
    Tenant.objects.filter(pk=acme.pk).update(name=HOSTILE, search_is_public=True)
    return {"user": user.pk, "note": note.pk, "tenant": acme.pk, "boss": user}


def list_injected(client, host, paths, values):
    """Return the pages on which what was planted is an element."""
    injected = []
    for path in paths:
        query = (
            {"q": HOSTILE} if path.startswith("/admin/") else QUERY
        )  # Django's admin refuses unknown names
        response = client.get(path.format(**values), query, headers={"host": host}, follow=True)
        content = response.content.decode()
        assert response.status_code < 500
        assert "<title" in content, path
        if SCRIPT in content or "<img src=x" in content:
            injected.append(path)
    return injected


def test_what_visitors_write_is_text(client, planted, acme):
    assert list_injected(client, acme.hostname, [*ANONYMOUS, f"/{SCRIPT}/"], planted) == []


def test_what_members_write_is_text_to_members(client, planted, acme):
    with tenant_context(acme):
        client.force_login(planted["boss"])
    paths = [
        path for path in MEMBERS if path != "/search/quality/" or apps.is_installed("apps.search_quality")
    ]

    assert list_injected(client, acme.hostname, paths, planted) == []


def test_what_tenants_write_is_text_to_operators(client, planted):
    client.force_login(get_user_model().objects.create_superuser("operator@example.com", name=HOSTILE))

    assert list_injected(client, "localhost", OPERATORS, planted) == []
