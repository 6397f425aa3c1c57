from types import ModuleType, SimpleNamespace

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.http import Http404
from django.template import engines
from django.urls import include, path, set_urlconf

from project.urls_public import urlpatterns as public_urlpatterns
from tenants.admin.pages import PAGES
from tenants.context import tenant_context
from tenants.links import NAVIGATION, Link, find_addresses, list_header_links

AT_PUBLIC = {"headers": {"host": "localhost"}}


def make_module(**content):
    module = ModuleType("apps.yours.some")
    vars(module).update(content)
    return module


def show(request):
    raise Http404


def test_a_link_to_no_address_of_the_site_is_left_out(acme):
    links = [Link("Account", "account"), Link("Gone", "no_such_name")]

    assert list(find_addresses(links)) == [(links[0], "/accounts/account/")]


def test_a_link_takes_what_it_says_of_the_tenant():
    page = path("of/<slug:schema>/", show, name="of_tenant")
    set_urlconf(make_module(urlpatterns=[page]))
    try:
        ((_, address),) = find_addresses(
            [Link("Its page", "of_tenant", takes="schema_name")], SimpleNamespace(schema_name="acme", pk=7)
        )
    finally:
        set_urlconf(None)

    assert address == "/of/acme/"


def test_the_header_has_what_the_member_may_see(acme, rf, monkeypatch):
    links = [Link("Account", "account"), Link("Admin", "admin:index", permission="accounts.view_user")]
    module = make_module(HEADER=links)
    monkeypatch.setattr(type(NAVIGATION), "load", lambda point: [(None, module)])
    request = rf.get("/")
    with tenant_context(acme):
        users = get_user_model().objects
        seen = []
        for user in (
            AnonymousUser(),
            users.create_user("a@acme.example"),
            users.create_superuser("b@b.example"),
        ):
            request.user = user
            seen.append([link.title for link, _ in list_header_links(request)])

    assert seen == [[], ["Account"], ["Account", "Admin"]]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ({}, "must set urlpatterns, a list of what django.urls.path returns for a view"),
        (
            {"urlpatterns": [path("x/", include([]))]},
            "must set urlpatterns, a list of what django.urls.path returns for a view",
        ),
        (
            {"urlpatterns": [], "HOME_LINKS": ["page"]},
            "must list tenants.links.Link only in HOME_LINKS and TENANT_LINKS",
        ),
        ({"urlpatterns": [path("x/", show)], "TENANT_LINKS": [Link("X", "x")]}, ""),
    ],
)
def test_a_module_of_operators_pages_that_does_not_keep_the_form_is_told_so(content, fault):
    assert PAGES.find_fault(make_module(**content)) == fault


def test_a_module_of_navigation_that_does_not_keep_the_form_is_told_so():
    assert NAVIGATION.find_fault(make_module()) == "must set HEADER, a list of tenants.links.Link"


def test_every_page_of_the_operators_is_for_superusers_only(client, db):
    pages = public_urlpatterns[1].url_patterns
    client.force_login(get_user_model().objects.create_user("staff@example.com", is_staff=True))

    assert {page.name for page in pages} >= {"vector_indexes", "space_switch", "tenant_spaces"}
    for page in pages:
        sample = dict.fromkeys(page.pattern.converters, 1)
        address = "/admin/" + str(page.pattern)
        for name in sample:
            address = address.replace(f"<int:{name}>", "1").replace(f"<slug:{name}>", "acme")
        assert client.get(address, **AT_PUBLIC).status_code == 403, address


def test_a_part_stands_for_each_app_that_has_it():
    tag = "{{% load parts %}}{{% include_parts '{}' %}}"

    nobodys, head = (
        engines["django"].from_string(tag.format(name)).render({}) for name in ("no_such", "head")
    )

    assert nobodys == ""
    assert "/search.css" in head
