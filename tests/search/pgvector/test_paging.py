import base64

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from apps.search import get_provider
from apps.search.documents import Document, EmbeddedDocument
from apps.search.storage.pgvector import PgVectorProvider
from apps.search.storage.pgvector.ann.builder import build_ann_index
from apps.search.storage.pgvector.models import PgVectorEmbedding
from apps.search.storage.pgvector.ranking.paging import InvalidCursorError
from apps.search.storage.pgvector.tables.ann_index import forget_ann_indexes
from tenants.context import tenant_context
from tests.search.pgvector.filling import fill, make_vectors
from tests.tables_app import models

QUERY = [1.0, 0.5, 0.25, 0.125, 0, 0, 0, 0]
TABLES = [
    None,
    models.HalfCosineEmbedding,
    models.L2Embedding,
    models.ProductEmbedding,
    models.L1Embedding,
]

pytestmark = pytest.mark.usefixtures("embedder", "as_owner")


def make_documents(numbers, prefix="k"):
    return [
        EmbeddedDocument(f"{prefix}{place}", "text", {"n": number}, [1.0, number, 0, 0, 0, 0, 0, 0])
        for place, number in enumerate(numbers)
    ]


def read_pages(search, size, after=None):
    pages = [search().page(size, after)]
    while pages[-1].next:
        pages.append(search().page(size, pages[-1].next))
    return pages


def pks_of(rows):
    return [row.pk for row in rows]


def concatenate(pages):
    return [row for page in pages for row in page.rows]


def in_order(rows):
    return sorted(rows, key=lambda row: (row.distance, row.pk))


@pytest.mark.usefixtures("in_acme")
@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(numbers=st.lists(st.integers(0, 3), max_size=25), size=st.integers(1, 9))
def test_pages_one_after_the_other_are_the_whole_list_however_many_are_equally_near(numbers, size):
    provider = PgVectorProvider()
    provider.clear()
    provider.add(make_documents(numbers))

    pages = read_pages(lambda: provider.nearest(QUERY), size)

    assert pks_of(concatenate(pages)) == pks_of(in_order(provider.nearest(QUERY)))
    assert [len(page.rows) for page in pages[:-1]] == [size] * (len(pages) - 1)
    assert len(pages) == max(1, -(-len(numbers) // size))


@pytest.mark.parametrize("model", TABLES)
def test_pages_of_every_distance_are_the_whole_list(in_acme, make_table, model):
    if model is not None:
        make_table(model)
    provider = PgVectorProvider(model)
    provider.add(make_documents([number % 3 for number in range(20)]))

    pages = read_pages(lambda: provider.nearest(QUERY), 3)

    assert pks_of(concatenate(pages)) == pks_of(in_order(provider.nearest(QUERY)))


def test_filters_and_thresholds_hold_on_every_page(in_acme):
    provider = PgVectorProvider()
    provider.add(make_documents([number % 5 for number in range(40)]))

    def search():
        return provider.nearest(QUERY).above(0.5).filter(metadata__n__lt=3)

    pages = read_pages(search, 4)

    assert pks_of(concatenate(pages)) == pks_of(in_order(search()))
    assert {row.metadata["n"] for page in pages for row in page.rows} == {
        row.metadata["n"] for row in search()
    }


def test_farther_and_nearer_rows_stored_meanwhile_shift_nothing(in_acme):
    provider = PgVectorProvider()
    provider.add(make_documents([2] * 6))
    first = provider.nearest(QUERY).page(3)

    provider.add(make_documents([3] * 4, "farther"))
    provider.add(make_documents([1] * 4, "nearer"))

    rest = concatenate(read_pages(lambda: provider.nearest(QUERY), 3, after=first.next))
    assert [row.document_key for row in first.rows + rest[:3]] == [f"k{n}" for n in range(6)]
    assert [row.document_key for row in rest[3:]] == [f"farther{n}" for n in range(4)]


def test_the_row_a_cursor_stands_on_may_be_deleted(in_acme):
    provider = PgVectorProvider()
    provider.add(make_documents([1] * 6))
    first = provider.nearest(QUERY).page(3)

    provider.delete(["k2", "k3"])

    assert [row.document_key for row in provider.nearest(QUERY).page(3, first.next).rows] == ["k4", "k5"]


def test_a_page_is_one_query(in_acme, django_assert_num_queries):
    provider = PgVectorProvider()
    provider.add(make_documents(range(9)))
    forget_ann_indexes()
    first = provider.nearest(QUERY).page(3)

    search = provider.nearest(QUERY)
    with django_assert_num_queries(1):
        search.page(3, first.next)


@pytest.mark.parametrize("size", [3, 8, 10])
def test_pages_through_the_index_hold_all_that_are_equally_near(in_acme, size):
    provider = PgVectorProvider()
    provider.add(make_documents([number // 4 for number in range(400)]))
    build_ann_index(PgVectorEmbedding, provider.space, provider.index_name, 8, 400)
    forget_ann_indexes()

    first = provider.nearest(QUERY).page(size)
    second = provider.nearest(QUERY).page(size, first.next)

    forget_ann_indexes()
    expected = in_order(provider.nearest(QUERY).order_by("distance", "pk")[:40])
    assert pks_of([*first.rows, *second.rows]) == pks_of(expected)[: 2 * size]


def test_the_first_page_needs_no_query_of_djangos(in_acme):
    provider = fill(20)

    with CaptureQueriesContext(connection) as queries:
        provider.nearest(QUERY).page(5)

    of_django = [' AS "distance"' in each["sql"] for each in queries if "distance" in each["sql"]]
    assert of_django == [False]


def test_pages_go_through_the_index_and_go_on_when_it_is_gone(in_acme):
    provider = fill(6_000, dimensions=16)
    query = make_vectors(1, 16, seed=1)[0]
    build_ann_index(PgVectorEmbedding, provider.space, provider.index_name, 16, 6_000)
    forget_ann_indexes()

    with CaptureQueriesContext(connection) as queries:
        pages = [provider.nearest(query).page(5)]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_sort = off")  # so few rows are sorted sooner than looked up
        cursor.execute(f"EXPLAIN {queries[-1]['sql']}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    for number in range(3):
        if number == 2:
            with connection.cursor() as cursor:
                cursor.execute(
                    "UPDATE pg_index SET indisvalid = false WHERE indexrelid::regclass::text ~ '_hnsw'"
                )
            forget_ann_indexes()
        pages.append(provider.nearest(query).page(5, pages[-1].next))
    forget_ann_indexes()

    assert "_hnsw" in plan
    rows = concatenate(pages)
    assert len(set(pks_of(rows))) == 20
    assert pks_of(rows) == pks_of(in_order(rows))
    assert len(set(pks_of(rows)) & set(pks_of(provider.nearest(query)[:20]))) >= 19


def cursor_of(provider):
    return provider.nearest(QUERY).page(1).next


def encode(text):
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(cursor):
    return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()


@pytest.mark.parametrize(
    "forge",
    [
        lambda cursor: "",
        lambda cursor: "!",
        lambda cursor: "é" * 8,
        lambda cursor: 7,
        lambda cursor: cursor[:20],
        lambda cursor: cursor + "A" * 400,
        lambda cursor: cursor + "=",
        lambda cursor: encode("a~b"),
        lambda cursor: encode(decode(cursor) + "~1"),
        lambda cursor: encode(decode(cursor) + "; DROP TABLE x"),
        lambda cursor: encode("~".join([*decode(cursor).split("~")[:2], "nan", "1"])),
        lambda cursor: encode("~".join([*decode(cursor).split("~")[:2], "inf", "1"])),
        lambda cursor: encode("~".join([*decode(cursor).split("~")[:2], "0x1p99999", "1"])),
        lambda cursor: encode("~".join([*decode(cursor).split("~")[:2], "0.5", "1"])),
        lambda cursor: encode(decode(cursor).replace("exact", "halfvec(1)) --")),
    ],
)
def test_bad_cursor_is_refused(in_acme, forge):
    provider = PgVectorProvider()
    provider.add(make_documents([1, 2]))

    with pytest.raises(InvalidCursorError, match=r"is not a cursor; use `next` of the page before\.$"):
        provider.nearest(QUERY).page(1, forge(cursor_of(provider)))


@pytest.mark.parametrize("pk", ["9" * 30, "-" + "9" * 30, "-5"])
def test_primary_key_beyond_the_column_is_harmless(in_acme, pk):
    provider = PgVectorProvider()
    provider.add(make_documents([1, 2]))
    *parts, _ = decode(cursor_of(provider)).split("~")

    assert len(provider.nearest(QUERY).page(5, encode("~".join([*parts, pk]))).rows) in (1, 2)


def test_cursor_of_another_index_space_or_tenant_is_refused(in_acme, globex):
    for other in (PgVectorProvider(index_name="poems"), PgVectorProvider(tenant=globex)):
        PgVectorProvider().add(make_documents([1, 2]))

        with pytest.raises(InvalidCursorError, match="is one of another index, space or tenant"):
            other.nearest(QUERY).page(1, cursor_of(PgVectorProvider()))


def test_pages_hold_rows_of_their_own_tenant_only(acme, globex):
    for tenant in (acme, globex):
        with tenant_context(tenant):
            PgVectorProvider().add(make_documents([1, 1, 2], prefix=tenant.schema_name))

    with tenant_context(globex):
        pages = read_pages(lambda: PgVectorProvider(tenant=acme).nearest(QUERY), 1)

    assert [row.document_key for row in concatenate(pages)] == ["acme0", "acme1", "acme2"]


@pytest.mark.parametrize("size", [0, -1, True, "3"])
def test_bad_size_is_refused(in_acme, size):
    with pytest.raises(ValueError, match=r"^size must be a whole number of at least 1, not "):
        PgVectorProvider().nearest(QUERY).page(size)


def test_slice_has_no_pages(in_acme):
    with pytest.raises(TypeError, match="slice"):
        PgVectorProvider().nearest(QUERY)[:5].page(2)


@pytest.fixture
def ask(acme):
    acme.search_is_public = True
    acme.save()
    with tenant_context(acme):
        get_provider("notes").add(Document(f"k{n}", "red apple", {"n": n % 2}) for n in range(5))

    def ask(**parameters):
        return Client().get("/api/search", {"q": "apple"} | parameters, headers={"host": "acme.localhost"})

    return ask


def test_api_leads_from_page_to_page(ask):
    found, after = [], ""
    while after is not None:
        answer = ask(limit=2, after=after).json()
        found.append([result["document_key"] for result in answer["results"]])
        after = answer["next"]

    assert found == [["k0", "k1"], ["k2", "k3"], ["k4"]]


def test_api_pages_hold_to_the_filter(ask):
    first = ask(limit=1, filter='{"n": 1}').json()
    second = ask(limit=1, filter='{"n": 1}', after=first["next"]).json()

    assert [result["document_key"] for result in first["results"] + second["results"]] == ["k1", "k3"]
    assert second["next"] is None


def test_api_says_what_is_wrong_with_a_cursor(ask):
    response = ask(after="nonsense")

    message = "'nonsense' is not a cursor; use `next` of the page before."
    assert (response.status_code, response.json()) == (422, {"errors": {"after": [message]}})


@pytest.mark.parametrize("mode", ["keyword", "hybrid"])
def test_api_refuses_what_is_no_cursor_in_every_mode(ask, mode):
    response = ask(after="nonsense", mode=mode)

    [message] = response.json()["errors"]["after"]
    assert (response.status_code, message[:33]) == (422, "This is no cursor of this search;")
