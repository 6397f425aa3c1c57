"""Visits every page of both sites with Django's test client, so that a browser can show them afterwards.

What to visit comes from the URLconfs, from the admin sites' models and from the links on the pages. An app
may have a `furnishing.py` in its folder below tests/, with any of

    furnish(index, key, query)  makes rows in the bound tenant, whose index has documents under the key
    list_posts(owner)           what the owner of a site sends, to see more: [(address, {field: value})]
"""

import re
from contextlib import nullcontext
from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import transaction
from django.test import Client
from django.urls import NoReverseMatch, Resolver404, get_resolver, resolve, reverse

from apps.search.indexes.registry import get_index_names
from apps.search.indexes.source_objects import Source
from apps.search.indexing.batches import rebuild_index
from tenants.admin.site import site as operators_admin
from tenants.context import tenant_context
from tests.matrix.crawling import NOT_FOLLOWED, QUERY, crawl
from tests.models_app.models import Note
from tests.pages.rows import make_row

POST_FORM = re.compile(r'<form\b(?=[^>]*method="post")[^>]*>', re.IGNORECASE)
ACTION = re.compile(r'action="([^"]*)"')
TENANTS, OPERATORS = settings.ROOT_URLCONF, settings.PUBLIC_SCHEMA_URLCONF


class Visit(NamedTuple):
    """A page as somebody saw it."""

    who: str
    method: str
    host: str
    path: str
    response: object

    def __str__(self):
        return f"{self.method} {self.host}{self.path} ({self.who}): {self.response.status_code}"

    @property
    def is_page(self):
        return self.response.get("Content-Type", "").startswith("text/html") and bool(self.response.content)


class Visitor:
    """Somebody on a site. `visits` is all that they got, `faults` the links that led nowhere."""

    def __init__(self, who, tenant=None, user=None):
        self.who = who
        self.host = tenant.hostname if tenant else settings.BASE_DOMAIN
        self.urlconf = TENANTS if tenant else OPERATORS
        self.visits, self.faults, self.seen = [], [], {}
        self.client = Client()
        self.is_signed_in = user is not None
        if user:
            with tenant_context(tenant) if tenant else nullcontext():
                self.client.force_login(user)

    def get(self, path, headers=None):
        """Visit a page once; `headers` are those that the crawler sends."""
        if path not in self.seen:
            self.seen[path] = self.client.get(path, headers={"host": self.host})
            self.visits.append(Visit(self.who, "GET", self.host, path, self.seen[path]))
        return self.seen[path]

    def post(self, path, data=None):
        """Send a form, and take back what it changed."""
        cookies = self.client.cookies.copy()
        with transaction.atomic():
            response = self.client.post(path, data or {}, headers={"host": self.host})
            transaction.set_rollback(True)
        self.client.cookies = cookies
        self.visits.append(Visit(self.who, "POST", self.host, path, response))

    def look_around(self, *starts):
        """Follow all links, beginning at the addresses without parts to fill in, and send each form empty."""
        found = [start for start in [*starts, *list_plain(self.urlconf)] if self.get(start).status_code < 400]
        self.faults += crawl(self, self.host, *found)[1]
        for action in self._list_actions():
            self.post(action)

    def _list_actions(self):
        actions = {}
        for visit in self.visits:
            for form in POST_FORM.findall(visit.response.content.decode()) if visit.is_page else ():
                action = urljoin(visit.path, (ACTION.search(form) or ["", ""])[1])
                if not NOT_FOLLOWED.search(urlsplit(action).path):
                    actions.setdefault(urlsplit(action).path, action)
        return actions.values()


def list_names(urlconf):
    """Return the names of a site's addresses, each with its namespace."""

    def walk(resolver, namespace=""):
        for pattern in resolver.url_patterns:
            if hasattr(pattern, "url_patterns"):
                inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
                yield from walk(pattern, inner)
            elif pattern.name:
                yield f"{namespace}{pattern.name}"

    return sorted(set(walk(get_resolver(urlconf))))


def list_plain(urlconf):
    """Return the addresses that have no part to fill in."""
    for name in list_names(urlconf):
        try:
            path = reverse(name, urlconf)
        except NoReverseMatch:
            continue
        if not NOT_FOLLOWED.search(path):
            yield path


def list_of_rows(site):
    """Return the addresses of a row of each model of an admin site; a tenant or `public` is bound."""
    urlconf = OPERATORS if site is operators_admin else TENANTS
    for model in site._registry:
        row = make_row(model)
        for page in ("change", "history", "delete"):
            name = f"{site.name}:{model._meta.app_label}_{model._meta.model_name}_{page}"
            yield reverse(name, urlconf, args=[row.pk])


def find_name(visit, urlconf):
    """Return the name of a visit's address; "" if it has none."""
    try:
        return resolve(urlsplit(visit.path).path, urlconf).view_name
    except Resolver404:
        return ""


def load_furnishings():
    """Return the furnishing.py of the tests of all installed apps."""
    names = [f"tests.{config.name.rpartition('.')[2]}.furnishing" for config in apps.get_app_configs()]
    return [import_module(name) for name in names if find_spec(name.rpartition(".")[0]) and find_spec(name)]


def furnish(tenant, with_all=True):
    """Give a tenant an owner, and an object that searches for QUERY find; with all, what each app shows.

    Return the owner and the addresses of rows in the members' admin.
    """
    with tenant_context(tenant):
        owner = get_user_model().objects.create_superuser(f"boss@{tenant.schema_name}.example")
        body = "The moon pulls at the water of the sea."
        note = Note.objects.create(title="Tides", body=body, key="tides", source="almanac")
        rebuild_index("notes")
        if not with_all:
            return owner, []
        for module in load_furnishings():
            if hasattr(module, "furnish"):
                module.furnish("notes", Source.of(note).prefix, QUERY)
        rows = list(list_of_rows(admin.site))
        for index in get_index_names():
            rebuild_index(index)
    return owner, rows
