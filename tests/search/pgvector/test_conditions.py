import pytest
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.search.documents import EmbeddedDocument
from apps.search.filters import compile_filter
from apps.search.storage.pgvector import PgVectorProvider
from apps.search.storage.pgvector.ann.builder import build_ann_index
from apps.search.storage.pgvector.models import PgVectorEmbedding
from apps.search.storage.pgvector.searching.matching import find_condition
from apps.search.storage.pgvector.tables.ann_index import forget_ann_indexes
from tenants.context import tenant_context
from tests.search.pgvector.filling import fill, make_vectors

QUERY = make_vectors(1, 8, seed=1)[0]
VALUES = [
    1,
    True,
    "1",
    1.5,
    -0.0,
    0,
    False,
    None,
    "100% %s %(vector)s",
    "it's",
    "back\\slash",
    'a "b"',
    "é\u2028",
]
PREPARED = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%%AS distance FROM \"acme\"%%'"


@pytest.fixture(autouse=True)
def _forget():
    forget_ann_indexes()
    yield
    forget_ann_indexes()


def build(space, rows):
    build_ann_index(PgVectorEmbedding, space, "default", 8, rows)
    forget_ann_indexes()


@pytest.fixture
def various(in_acme, as_owner):
    """Documents of all kinds of values, with an ANN index, so that rows are counted."""
    provider = PgVectorProvider(space="filled")
    vectors = make_vectors(len(VALUES) * 3, 8)
    provider.add(
        EmbeddedDocument(
            f"k{n}", "text", {"value": VALUES[n % len(VALUES)], "n": n % 5, "all": [n % 2, "x"]}, each
        )
        for n, each in enumerate(vectors)
    )
    build("filled", len(vectors))
    return provider


def keys_of(rows):
    return [row.document_key for row in rows]


leaves = st.one_of(
    st.sampled_from(VALUES).map(lambda value: {"value": value}),
    st.sampled_from(VALUES).map(lambda value: {"value": {"ne": value}}),
    st.integers(0, 5).map(lambda value: {"n": value}),
    st.integers(0, 5).map(lambda value: {"n": {"gte": value}}),
    st.sampled_from([0, 1, "x", "%s"]).map(lambda value: {"all": {"contains": [value]}}),
)
filters = st.recursive(
    leaves,
    lambda inner: st.one_of(
        inner.map(lambda part: {"not": part}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"and": parts}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"or": parts}),
    ),
    max_leaves=4,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(filter=filters, negate=st.booleans())
def test_a_filtered_search_finds_what_djangos_does(various, filter, negate):
    def ask(rows):
        condition = compile_filter(filter)
        return rows.exclude(condition) if negate else rows.filter(condition)

    quick = ask(various.nearest(QUERY))[:9]

    django = ask(various.nearest(QUERY).order_by("distance", "pk"))[:9]
    assert keys_of(quick) == keys_of(django)
    assert quick.plan.matches is not None


def test_values_that_python_calls_equal_are_different_filters(various):
    found = [
        keys_of(various.nearest(QUERY).filter(metadata__contains={"value": each})[:9]) for each in VALUES[:3]
    ]

    assert [sorted(keys) for keys in found] == [
        sorted(f"k{n + turn * len(VALUES)}" for turn in range(3)) for n in range(3)
    ]


def test_a_list_that_is_changed_later_changes_no_filter_that_is_remembered(various):
    wanted = ["x"]
    first = various.nearest(QUERY).filter(metadata__contains={"all": wanted})[:5]
    wanted.append("nowhere")

    again = various.nearest(QUERY).filter(metadata__contains={"all": ["x"]})[:5]

    assert len(keys_of(again)) == len(keys_of(first)) == 5


def test_filters_that_leave_few_rows_share_one_prepared_statement(in_acme, as_owner):
    provider = fill(2_000)
    build("filled", 2_000)

    for n in range(10):
        rows = provider.nearest(QUERY).filter(metadata__contains={"n": n})[:5]
        assert keys_of(rows) == [f"k{n}"]

    assert rows.plan.mode == "exact"
    with connection.cursor() as cursor:
        cursor.execute(PREPARED)
        assert cursor.fetchone() == (1,)


def test_the_rows_that_a_filter_leaves_are_estimated_once(various):
    def count_estimates():
        with CaptureQueriesContext(connection) as queries:
            keys_of(various.nearest(QUERY).filter(metadata__contains={"n": 1})[:5])
        return sum("EXPLAIN" in query["sql"] for query in queries)

    assert [count_estimates(), count_estimates()] == [1, 0]


def test_what_is_remembered_of_a_filter_is_of_one_tenant(acme, globex, as_owner):
    matches = []
    for tenant, rows in ((acme, 300), (globex, 600)):
        with tenant_context(tenant):
            provider = fill(rows)
            build("filled", rows)
            found = provider.nearest(QUERY).filter(Q(metadata__n__gte=0))[:5]
            keys_of(found)
            matches.append(found.plan.matches)

    assert matches[0] < matches[1]


def test_dates_in_words_are_those_of_the_time_zone():
    asked = Q(document_key="2026-01-01 12:00")
    known = find_condition(PgVectorEmbedding, asked)

    with timezone.override("Asia/Tokyo"):
        assert find_condition(PgVectorEmbedding, asked) is not known
    assert find_condition(PgVectorEmbedding, asked) is known
