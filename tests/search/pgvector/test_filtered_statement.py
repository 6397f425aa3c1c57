import re

import pytest
from django.core.exceptions import FieldError
from django.db import connection
from django.db.models import F, Q
from django.test.utils import CaptureQueriesContext

from apps.search.documents import EmbeddedDocument
from apps.search.storage.pgvector import PgVectorProvider
from apps.search.storage.pgvector.ann.builder import build_ann_index
from apps.search.storage.pgvector.models import PgVectorEmbedding
from apps.search.storage.pgvector.tables.ann_index import forget_ann_indexes
from tenants.context import TenantMismatchError, tenant_context
from tests.search.pgvector.filling import fill, make_vectors
from tests.tables_app import models

pytestmark = pytest.mark.usefixtures("embedder")

QUERY = make_vectors(1, 8, seed=1)[0]
ODD = ["100% %s %(vector)s", "it's", 'a "b"', "back\\slash", "{}", ":x", "é\u2028"]
OURS = 'FROM "acme"."pgvector_pgvectorembedding"'  # Django's own queries do not name the schema


@pytest.fixture
def odd(in_acme):
    """Documents whose contents and metadata are hard to quote."""
    provider = PgVectorProvider()
    provider.add(
        EmbeddedDocument(f"k{number}", text, {"text": text, "n": number, text: 1}, vector)
        for number, (text, vector) in enumerate(zip(ODD, make_vectors(len(ODD), 8), strict=True))
    )
    return provider


@pytest.fixture(autouse=True)
def _forget():
    forget_ann_indexes()
    yield
    forget_ann_indexes()


def keys_of(rows):
    return [row.document_key for row in rows]


def read(rows):
    """Return the keys of the rows, and the searches that were sent for them."""
    with CaptureQueriesContext(connection) as queries:
        found = keys_of(rows)
    return found, [query["sql"] for query in queries if re.search(r' AS "?distance\b', query["sql"])]


FILTERS = [
    Q(metadata__n__lt=4),
    Q(metadata__contains={"n": 3}),
    ~Q(metadata__n=2),
    Q(metadata__n=1) | Q(content__startswith="back"),
    Q(document_key__in=["k0", "k6", "none"]),
    ~Q(content=F("document_key")) & Q(metadata__has_key="n"),
    *(Q(content=text) for text in ODD),
    *(Q(content__contains=text) for text in ODD),
    *(Q(metadata__text=text) for text in ODD),
    *(Q(metadata__has_key=text) for text in ODD),
]


@pytest.mark.parametrize("condition", FILTERS, ids=str)
def test_filtered_search_is_one_statement_that_finds_what_djangos_does(odd, condition):
    found, sent = read(odd.nearest(QUERY).filter(condition)[:5])

    django = odd.nearest(QUERY).filter(condition).order_by("distance", "pk")[:5]
    assert found == keys_of(django)
    assert [OURS in sql for sql in sent] == [True]


def test_filters_are_added_to_each_other(odd):
    rows = odd.nearest(QUERY).filter(metadata__n__gt=1).exclude(metadata__n=3).filter(metadata__n__lt=5)

    found, sent = read(rows[:5])

    assert sorted(found) == ["k2", "k4"]
    assert len(sent) == 1


@pytest.mark.parametrize("arguments", [[], [Q()], [Q() & Q(), Q()]], ids=str)
def test_a_filter_that_asks_for_nothing_is_none(in_acme, as_owner, arguments):
    provider = fill(3_000)
    build_ann_index(PgVectorEmbedding, "filled", "default", 8, 3_000)
    forget_ann_indexes()

    rows = provider.nearest(QUERY).filter(*arguments)[:5]
    found, sent = read(rows)

    assert (rows.plan.mode, rows.plan.matches) == ("hnsw", None)  # nothing was estimated or counted
    assert found == keys_of(provider.nearest(QUERY)[:5])
    assert len(sent) == 1


def test_a_filter_leaves_the_search_it_was_asked_of_as_it_was(odd):
    everything = odd.nearest(QUERY)

    some = everything.filter(metadata__n=1)

    assert (len(keys_of(everything[:9])), keys_of(some[:9])) == (len(ODD), ["k1"])


def test_a_filter_that_nothing_can_fit_finds_nothing(odd):
    assert read(odd.nearest(QUERY).filter(document_key__in=[])[:5])[0] == []


def test_a_subquery_reads_the_same_schema(odd):
    even = PgVectorEmbedding.objects.filter(metadata__n__in=[0, 2, 4])

    found, sent = read(odd.nearest(QUERY).filter(pk__in=even.values("pk"))[:5])

    assert sorted(found) == ["k0", "k2", "k4"]
    assert OURS in sent[0]


def test_a_filter_that_needs_a_join_is_djangos(in_acme, as_owner, make_table):
    make_table(models.LinkedEmbedding)
    provider = fill(10, model=models.LinkedEmbedding, space="default")
    first = provider.objects.get(document_key="k0")
    provider.objects.filter(metadata__n__lt=3).update(parent=first)

    found, sent = read(provider.nearest(QUERY).filter(parent__document_key="k0")[:5])

    assert len(found) == 3
    assert [" JOIN " in sql for sql in sent] == [True]


@pytest.mark.parametrize("name", ["score", "distance"])
def test_a_filter_of_what_is_computed_is_djangos(odd, name):
    nearest = odd.nearest(QUERY)[:3]
    bound = getattr(nearest[2], name)
    lookup = {"score": "gte", "distance": "lte"}[name]

    found, _ = read(odd.nearest(QUERY).filter(metadata__n__gte=0).filter(**{f"{name}__{lookup}": bound})[:9])

    assert found == keys_of(nearest)


def test_a_bad_filter_is_refused_where_it_is_given(odd):
    with pytest.raises(FieldError, match="Cannot resolve keyword 'colour' into field"):
        odd.nearest(QUERY).filter(colour="red")


def test_a_slice_takes_no_filter(odd):
    with pytest.raises(TypeError, match="Cannot filter a query once a slice has been taken"):
        odd.nearest(QUERY)[:3].filter(metadata__n=1)


def test_what_else_is_asked_of_a_filtered_search_is_djangos(odd):
    rows = odd.nearest(QUERY).filter(metadata__n__lt=3)

    assert rows.count() == 3
    assert sorted(rows.values_list("document_key", flat=True)) == ["k0", "k1", "k2"]
    assert rows.filter(metadata__n=1).get().document_key == "k1"


def test_a_filtered_search_of_one_tenant_is_not_read_in_another(acme, globex):
    with tenant_context(acme):
        rows = fill(5).nearest(QUERY).filter(metadata__n=1)[:3]

    with tenant_context(globex), pytest.raises(TenantMismatchError, match="'acme'"):
        list(rows)


def test_a_provider_of_one_tenant_filters_there_whichever_is_bound(acme, globex):
    for tenant in (acme, globex):
        with tenant_context(tenant):
            fill(5)

    with tenant_context(globex):
        rows = PgVectorProvider(tenant=acme).nearest(QUERY).filter(metadata__n=1)[:3]
        with CaptureQueriesContext(connection) as queries:
            list(rows)

    assert any(OURS in query["sql"] for query in queries)
