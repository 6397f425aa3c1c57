import pytest
from django.db import connection
from django.db.models import F

from apps.search.storage.pgvector.ann.builder import build_ann_index
from apps.search.storage.pgvector.tables.ann_index import forget_ann_indexes
from tests.search.pgvector.filling import fill, make_vectors

ROWS = 500
QUERY = make_vectors(1, 8, seed=1)[0]


@pytest.fixture
def provider(in_acme, as_owner, settings):
    """Many rows with an ANN index that PostgreSQL uses whatever it costs."""
    settings.PGVECTOR = {"EXACT_ROWS": 20}
    filled = fill(ROWS)
    build_ann_index(filled.model, filled.space, filled.index_name, 8, ROWS)
    forget_ann_indexes()
    with connection.cursor() as cursor:
        for way in ("seqscan", "bitmapscan", "sort"):
            cursor.execute(f"SET LOCAL enable_{way} = off")
    return filled


def read_ef_search(rows):
    list(rows)
    assert rows.plan.mode == "hnsw"
    return rows.plan.tuning.get("ef_search")


def test_a_filter_widens_the_search_the_more_the_fewer_rows_it_leaves(provider):
    search = provider.nearest(QUERY).tune(ef_search=10)

    numbers = [read_ef_search(search.filter(metadata__n__lt=most)[:5]) for most in (ROWS // 2, ROWS // 10)]

    assert read_ef_search(search[:5]) == 10
    assert 10 < numbers[0] <= numbers[1]


@pytest.mark.parametrize(
    "ask",
    [lambda rows: rows[:30], lambda rows: rows[5:30], lambda rows: rows.annotate(again=F("pk"))[:30]],
    ids=["slice", "later slice", "django"],
)
def test_an_ann_search_that_ends_early_is_repeated_exactly(provider, ask):
    exact = ask(provider.nearest(QUERY))
    exact.query.must_be_exact = True

    rows = ask(provider.nearest(QUERY).tune(ef_search=1, iterative_scan="off"))

    assert [row.pk for row in rows] == [row.pk for row in exact]
    assert rows.plan.mode == "exact"
