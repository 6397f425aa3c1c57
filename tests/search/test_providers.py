import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import RequestFactory

from apps.search import NoTenantError, UnknownIndexError, get_provider
from apps.search.documents import Document
from apps.search.indexes.registry import get_index_names
from apps.search.storage.pgvector.models import PgVectorEmbedding
from tenants.context import tenant_context
from tests.models_app.models import NoteEmbedding

pytestmark = pytest.mark.usefixtures("embedder")


def request_of(tenant):
    request = RequestFactory().get("/")
    request.tenant = tenant
    return request


def test_bound_tenant_decides_space_embedder_and_table(acme, globex):
    globex.space = "custom"

    for tenant, model, dimensions in ((acme, PgVectorEmbedding, 8), (globex, NoteEmbedding, 384)):
        with tenant_context(tenant):
            provider = get_provider("notes")

            assert (provider.space, provider.index_name) == (tenant.space, "notes")
            assert (provider.model, provider.embedder.dimensions) == (model, dimensions)


@pytest.mark.parametrize("name", ["tenant", "request"])
def test_tenant_or_request_given_wins_over_the_bound_one(acme, globex, name):
    given = acme if name == "tenant" else request_of(acme)
    with tenant_context(acme):
        get_provider("notes").add([Document("k", "text of acme")])

    with tenant_context(globex):
        provider = get_provider("notes", **{name: given})

        assert provider.search("text").get().content == "text of acme"
        assert not get_provider("notes").objects.exists()


@pytest.mark.parametrize("name", ["tenant", "request"])
def test_tenant_or_request_given_needs_no_bound_one(acme, globex, name):
    provider = get_provider("notes", **{name: acme if name == "tenant" else request_of(acme)})

    assert provider.add([Document("k", "text")]) == 1
    assert provider.search("text").count() == 1
    with tenant_context(globex):
        assert not get_provider("notes").objects.exists()


def test_tenant_given_wins_over_the_request(acme, globex):
    acme.space = "custom"

    assert get_provider("notes", tenant=acme, request=request_of(globex)).space == "custom"


def test_without_any_tenant_there_is_no_provider(db, django_assert_num_queries):
    with django_assert_num_queries(0), pytest.raises(NoTenantError, match=r"^No tenant is bound"):
        get_provider("notes")


@pytest.mark.parametrize("request_given", [RequestFactory().get("/"), request_of(None)])
def test_request_of_the_operators_site_has_no_provider(in_acme, request_given):
    with pytest.raises(NoTenantError, match=r"^The request belongs to no tenant"):
        get_provider("notes", request=request_given)


@pytest.mark.parametrize("name", ["books", "", "Notes", None])
def test_unknown_index_lists_the_known_ones(in_acme, name):
    with pytest.raises(UnknownIndexError) as caught:
        get_provider(name)

    known = ", ".join(get_index_names())
    assert str(caught.value) == f"There is no index {name!r}. Known indexes: {known}."
    assert "notes" in known


def test_unknown_space_lists_the_known_ones(in_acme):
    message = r"^EMBEDDINGS\['nope'\]: there is no such alias. Known aliases: custom, default, other\.$"

    with pytest.raises(ImproperlyConfigured, match=message):
        get_provider("notes", space="nope")
    in_acme.space = "nope"
    with pytest.raises(ImproperlyConfigured, match=message):
        get_provider("notes")


def test_space_given_wins_over_the_tenants(in_acme):
    provider = get_provider("notes", space="custom")

    assert (provider.space, provider.model) == ("custom", NoteEmbedding)
