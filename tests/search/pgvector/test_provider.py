import numpy as np
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, models
from django.test.utils import isolate_apps
from django_tenants.utils import schema_context
from pgvector.django import VectorField

from apps.search import NoTenantError
from apps.search.documents import Document, EmbeddedDocument
from apps.search.embedders import EmbeddingError, InvalidTextError
from apps.search.storage.pgvector import PgVectorProvider
from apps.search.storage.pgvector.models import PgVectorEmbedding
from apps.search.storage.pgvector.provider import REQUIRED_FIELDS
from apps.search.storage.pgvector.tables.queryset import EmbeddingQuerySet
from apps.search.storage.pgvector.tables.vectors import InvalidVectorError
from tenants.context import tenant_context
from tests.models_app.models import NoteEmbedding

pytestmark = pytest.mark.usefixtures("embedder")


def test_provider_alone_uses_the_default_table_and_index(in_acme):
    provider = PgVectorProvider()

    assert provider.model is PgVectorEmbedding
    assert (provider.index_name, provider.space) == ("default", "default")
    assert repr(provider) == "<PgVectorProvider default model index='default' space=None>"


def test_space_is_decided_when_the_provider_is_used(acme, globex):
    globex.space = "other"

    provider = PgVectorProvider()

    for tenant, space, dimensions in ((acme, "default", 8), (globex, "other", 16)):
        with tenant_context(tenant):
            assert (provider.space, provider.embedder.dimensions) == (space, dimensions)
            provider.add([Document("k", f"text of {tenant}")])
            row = provider.objects.get()
            assert (row.space, row.content, len(row.vector)) == (space, f"text of {tenant}", dimensions)


def test_changed_space_of_a_tenant_hides_the_documents_of_the_old_one(in_acme):
    provider = PgVectorProvider()
    provider.add([Document("k", "text")])

    in_acme.space = "other"

    assert not provider.objects.exists()


def test_space_and_embedder_may_be_given(in_acme, embedder):
    provider = PgVectorProvider(space="of-its-own", embedder=embedder(dimensions=5), index_name="poems")

    provider.add([Document("k", "text")])

    row = PgVectorEmbedding.objects.get()
    assert (row.space, row.index_name, len(row.vector)) == ("of-its-own", "poems", 5)


def test_custom_model_is_used(in_acme):
    provider = PgVectorProvider(model=NoteEmbedding, space="custom")

    provider.add([Document("k", "text")])

    assert NoteEmbedding.objects.count() == 1
    assert PgVectorEmbedding.objects.count() == 0


@pytest.mark.parametrize("missing", REQUIRED_FIELDS)
@isolate_apps()
def test_model_without_a_required_field_is_refused(missing):
    fields = {name: models.TextField() for name in REQUIRED_FIELDS} | {"vector": VectorField()}
    del fields[missing]
    meta = type("Meta", (), {"app_label": "tests_tables"})
    model = type("Incomplete", (models.Model,), fields | {"Meta": meta, "__module__": __name__})

    with pytest.raises(
        ValueError, match=f"^tests_tables.Incomplete must include '{missing}' field; subclass"
    ):
        PgVectorProvider(model=model)


def test_a_models_label_in_place_of_its_class_is_refused():
    with pytest.raises(TypeError, match=r"^model must be .* not 'notes.NoteEmbedding': import the class"):
        PgVectorProvider(model="notes.NoteEmbedding")


@pytest.mark.parametrize("wrong", ["a text", {"content": "a text"}, None])
def test_what_is_no_document_is_refused_by_name(in_acme, wrong):
    with pytest.raises(TypeError, match=r"^documents must be Documents; there is .* among them"):
        PgVectorProvider().add([Document("a", "text"), wrong])

    assert PgVectorProvider().objects.count() == 0


@pytest.mark.parametrize("on_conflict", ["update", "skip"])
def test_one_document_outside_of_a_list_is_refused(in_acme, on_conflict):
    with pytest.raises(TypeError, match=r"^documents must be an iterable .*: put it into a list\.$"):
        PgVectorProvider().add(Document("a", "A cat."), on_conflict=on_conflict)

    assert not PgVectorProvider().objects.exists()


def test_unknown_space_lists_the_known_ones(in_acme):
    in_acme.space = "gone"

    with pytest.raises(ImproperlyConfigured, match=r"^EMBEDDINGS\['gone'\]: .*known are: 'default', 'other'"):
        PgVectorProvider().search("text")


def test_documents_are_found_by_their_text(in_acme):
    provider = PgVectorProvider()
    provider.add([Document("a", "red apple"), Document("b", "green cucumber"), Document("c", "apple pie")])

    found = provider.search("red apple")

    assert found[0].document_key == "a"
    assert found[0].score == pytest.approx(1, abs=1e-6)
    assert found[0].get_deferred_fields() == {"vector", "keywords", "keyword_recipe"}


def test_search_is_a_lazy_queryset(in_acme, django_assert_num_queries):
    provider = PgVectorProvider()
    provider.add([Document(str(number), f"word{number}", {"even": number % 2 == 0}) for number in range(9)])
    provider.search("word0").exists()  # the first search looks for an ANN index

    with django_assert_num_queries(0):
        found = provider.search("word4")
        best = found.filter(metadata__even=True)[:3]
    with django_assert_num_queries(1):
        rows = list(best)

    assert isinstance(found, EmbeddingQuerySet)
    assert rows[0].document_key == "4"
    assert len(rows) == 3
    assert (found.count(), found.exists(), found.filter(metadata__even=False).count()) == (9, True, 4)
    assert found.filter(distance__lt=1e-6, document_key="4").exists()


def test_documents_with_and_without_vectors_may_be_mixed(in_acme, embedder):
    ready = EmbeddedDocument("b", "two", {}, np.eye(8)[0])

    PgVectorProvider().add([Document("a", "one"), ready, Document("c", "three")])

    assert embedder.embedded == ["one", "three"]
    assert PgVectorProvider().objects.get(document_key="b").vector == list(np.eye(8)[0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty or blank"),
        (" \n\t", "is empty or blank"),
        ("a\0b", "contains a NUL byte at character 1"),
        ("a\ud800", r"contains a lone surrogate \(U\+D800\) at character 1"),
        (None, "must be a str, not NoneType"),
    ],
)
def test_bad_query_is_refused(in_acme, text, message):
    with pytest.raises(InvalidTextError, match=message):
        PgVectorProvider().search(text)


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        ([1.0] * 7, "^The query vector has 7 dimensions; 8 are needed"),
        ([float("nan")] * 8, "^The query vector holds NaN"),
        ([0.0] * 8, "^The query vector is all zeros"),
        ("vector", "^The query vector must be a sequence of numbers"),
    ],
)
def test_bad_query_vector_is_refused(in_acme, vector, message):
    with pytest.raises(InvalidVectorError, match=message):
        PgVectorProvider().nearest(vector)


def test_vectors_of_a_space_without_settings_have_the_length_of_the_first(in_acme):
    provider = PgVectorProvider(space="imported")
    provider.add([EmbeddedDocument("a", "one", {}, [1.0, 2.0, 3.0])])

    assert provider.nearest([1.0, 2.0, 3.0]).get().document_key == "a"
    with pytest.raises(InvalidVectorError, match="has 2 dimensions; 3 are needed"):
        provider.nearest([1.0, 2.0])


@pytest.mark.parametrize(
    "empty",
    [
        lambda provider: provider.clear(),
        lambda provider: provider.delete(["a"]),
        lambda provider: provider.delete(where={"n": 1}),
    ],
)
def test_an_emptied_space_without_settings_takes_vectors_of_another_length(in_acme, empty):
    provider = PgVectorProvider(space="imported")
    provider.add([EmbeddedDocument("a", "one", {"n": 1}, [1.0, 2.0, 3.0])])
    list(provider.nearest([1.0, 2.0, 3.0]))

    empty(provider)
    provider.add([EmbeddedDocument("a", "one", {}, [1.0, 2.0])])

    assert provider.nearest([1.0, 2.0]).get().document_key == "a"


def test_failing_embedder_leaves_nothing_written(in_acme, embedder):
    def fail_late(texts):
        if len(embedder.embedded) > 300:
            raise EmbeddingError("the service is away")

    embedder.before_batch = staticmethod(fail_late)

    with pytest.raises(EmbeddingError, match="the service is away"):
        PgVectorProvider().add(Document(str(number), "text") for number in range(600))

    assert not PgVectorEmbedding.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "use",
    [
        lambda provider: provider.space,
        lambda provider: provider.embedder,
        lambda provider: provider.objects,
        lambda provider: provider.add([]),
        lambda provider: provider.add([EmbeddedDocument("k", "text", {}, [1.0] * 8)]),
        lambda provider: provider.delete(["k"]),
        lambda provider: provider.prune_to(["k"]),
        lambda provider: provider.clear(),
        lambda provider: provider.nearest([1.0] * 8),
        lambda provider: provider.search("text"),
    ],
    ids=[
        "space",
        "embedder",
        "objects",
        "add-nothing",
        "add",
        "delete",
        "prune_to",
        "clear",
        "nearest",
        "search",
    ],
)
def test_without_a_tenant_nothing_is_asked_of_the_database(use, django_assert_num_queries):
    with django_assert_num_queries(0), pytest.raises(NoTenantError, match=r"^No tenant is bound"):
        use(PgVectorProvider())


def test_provider_of_a_tenant_serves_it_whichever_is_bound(acme, globex):
    provider = PgVectorProvider(tenant=acme)

    provider.add([Document("k", "text of acme")])
    with tenant_context(globex):
        provider.add([Document("l", "text of acme")])
        PgVectorProvider().add([Document("m", "text of globex")])

    for schema in ("public", "acme", "globex"):
        with schema_context(schema):
            assert sorted(row.document_key for row in provider.search("text")) == ["k", "l"]
            assert provider.objects.count() == 2
            assert connection.schema_name == schema


def test_provider_of_a_tenant_deletes_from_it_only(acme, globex):
    for tenant in (acme, globex):
        PgVectorProvider(tenant=tenant).add([Document(key, "text") for key in "abcd"])
    provider = PgVectorProvider(tenant=acme)

    with tenant_context(globex):
        assert (provider.delete(["a"]), provider.prune_to(["b", "c"]), provider.clear()) == (1, 1, 2)

    assert not provider.objects.exists()
    assert PgVectorProvider(tenant=globex).objects.count() == 4


def test_provider_of_a_tenant_uses_its_space(acme, globex):
    acme.space = "other"

    with tenant_context(globex):
        provider = PgVectorProvider(tenant=acme)

        assert (provider.space, provider.embedder.dimensions) == ("other", 16)
