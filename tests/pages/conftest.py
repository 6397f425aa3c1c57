import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.tokens import default_token_generator
from django.test import Client
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from tenants.admin.site import site as operators_admin
from tenants.context import tenant_context
from tenants.models import Tenant
from tests.pages.visits import Visitor, furnish, list_of_rows, load_furnishings
from tests.registry import make_public
from tests.search.embedder import BACKEND, HashingEmbedder

CLOSED = [Tenant.State.PROVISIONING, Tenant.State.SUSPENDED, Tenant.State.LEAVING]


@pytest.fixture
def visitors(acme, globex, make_tenant, settings):
    """All kinds of people, each after a look at every page of a site."""
    space = {"BACKEND": BACKEND, "MODEL": "pgvector.PgVectorEmbedding"}
    settings.EMBEDDINGS = {"default": space, "other": space}
    HashingEmbedder.reset()
    owner, rows = furnish(acme)
    furnish(globex, with_all=False)
    closed = [make_tenant(f"{state}-one", state=state) for state in CLOSED]
    users = get_user_model().objects
    with tenant_context(acme):
        member = users.create_user("member@acme.example", "correct horse 7")
        link = _get_reset_link(member)

    visitor, reader = Visitor("visitor", acme), Visitor("visitor of an open site", acme)
    visitor.look_around("/admin/", "/nope/", link)
    make_public(acme)
    reader.look_around("/search/?q=", "/search/?q=moon&filter={", "/search/?q=moon&facets=source")
    someone, boss = Visitor("member", acme, member), Visitor("owner", acme, owner)
    someone.look_around("/admin/")
    boss.look_around(*rows)
    for module in load_furnishings():
        for path, data in module.list_posts(owner) if hasattr(module, "list_posts") else ():
            boss.post(path, data)
    outsider = Visitor("visitor")
    outsider.look_around("/admin/", "/nope/")
    account = users.create_superuser("operator@example.com")
    operator = Visitor("operator", user=account)
    operator.look_around("/admin/nope/", _get_reset_link(account), *list_of_rows(operators_admin))
    turned_away = [Visitor("visitor", tenant) for tenant in [*closed, Tenant(subdomain="nowhere")]]
    for each in turned_away:
        each.get("/")
    return [visitor, reader, someone, boss, outsider, operator, *turned_away, _meet_faults(acme, settings)]


def _get_reset_link(user):
    """Return the link that a mail would bring; the tenant of the user is bound."""
    token = default_token_generator.make_token(user)
    return f"/accounts/reset/{urlsafe_base64_encode(force_bytes(user.pk))}/{token}/"


def _meet_faults(tenant, settings):
    """Return somebody for whom everything goes wrong."""
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.pages.breaking.break_some"]
    settings.RATE_LIMITS = {"sign_in": "1/h"}
    unlucky = Visitor("visitor in trouble", tenant)
    unlucky.client = Client(raise_request_exception=False)
    for path in ("/broken/", "/outage/", "/refused/"):
        unlucky.get(path)
    form = {"username": "a@acme.example", "password": "wrong"}
    # A visit is taken back, and so is its count; this one stays.
    unlucky.client.post("/accounts/login/", form, headers={"host": unlucky.host})
    unlucky.post("/accounts/login/", form)
    unlucky.client = Client(enforce_csrf_checks=True)
    unlucky.post("/accounts/login/")
    return unlucky
