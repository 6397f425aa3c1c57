import numpy as np
import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.search.documents import EmbeddedDocument
from apps.search.storage.pgvector import PgVectorProvider
from apps.search.storage.pgvector.ann.builder import build_ann_index
from apps.search.storage.pgvector.models import PgVectorEmbedding
from apps.search.storage.pgvector.tables.ann_index import forget_ann_indexes, get_ann_index_name
from tenants.context import tenant_context
from tests.search.pgvector.filling import fill, make_vectors
from tests.tables_app import models

pytestmark = pytest.mark.usefixtures("embedder")

PREPARED = """
    SELECT name, statement, generic_plans FROM pg_prepared_statements
    WHERE statement LIKE '%%AS distance FROM "' || %s || '"%%'
"""
QUERY = make_vectors(1, 8, seed=1)[0]


@pytest.fixture(autouse=True)
def _forget():
    forget_ann_indexes()
    yield
    forget_ann_indexes()


def execute(sql, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)
        return cursor.fetchall() if cursor.description else []


def build(provider, rows):
    build_ann_index(PgVectorEmbedding, provider.space, provider.index_name, 8, rows)
    execute("ANALYZE pgvector_pgvectorembedding")
    forget_ann_indexes()


def search(provider, times=1, limit=5, **tuning):
    for _ in range(times):
        found = provider.nearest(QUERY)
        rows = list((found.tune(**tuning) if tuning else found)[:limit])
    return rows


def sent_searches(queries):
    """Without those that look into the catalog."""
    return [query["sql"] for query in queries if " AS distance " in query["sql"]]


def keys_of(rows):
    return [row.document_key for row in rows]


def test_search_that_comes_again_is_prepared_and_its_one_plan_uses_the_index(in_acme, as_owner):
    provider = fill(3_000)
    build(provider, 3_000)

    before = keys_of(search(provider))
    after = keys_of(search(provider, times=15))

    [(name, _, generic_plans)] = execute(PREPARED, "acme")
    execute("SET LOCAL plan_cache_mode = force_generic_plan")
    plan = execute(f"EXPLAIN EXECUTE {name} ('{QUERY.tolist()}')")
    assert before == after
    assert generic_plans > 0
    assert get_ann_index_name(provider.space, provider.index_name, 8) in str(plan)
    assert "$1" in str(plan)


def test_prepared_search_of_one_tenant_finds_nothing_of_another(acme, globex):
    provider = PgVectorProvider()
    for tenant in (acme, globex):
        with tenant_context(tenant):
            provider.add([EmbeddedDocument("k", f"of {tenant.schema_name}", {}, QUERY)])

    found = []
    for tenant in (acme, globex) * 10:
        with tenant_context(tenant):
            found += [row.content for row in search(provider)]

    assert found == ["of acme", "of globex"] * 10
    assert [len(execute(PREPARED, schema)) for schema in ("acme", "globex")] == [1, 1]


def test_other_statements_are_not_prepared(in_acme):
    provider = fill(5)

    for _ in range(10):
        list(provider.objects.filter(metadata__n=1))
        search(provider, ef_search=50)

    assert (
        execute("SELECT statement FROM pg_prepared_statements WHERE statement NOT LIKE '%AS distance%'") == []
    )


def test_prepared_search_survives_a_rollback(in_acme):
    provider = fill(20)
    expected = keys_of(search(provider, times=10))

    with transaction.atomic():
        search(provider)
        transaction.set_rollback(True)

    assert keys_of(search(provider, times=10)) == expected


@pytest.mark.parametrize(
    "write",
    [
        lambda provider: provider.add([EmbeddedDocument("new", "text", {}, QUERY)]),
        lambda provider: provider.delete(["k1"]),
        lambda provider: provider.delete(where={"n": 2}),
        lambda provider: provider.prune_to(["k3", "k4"]),
    ],
)
def test_prepared_search_survives_a_write(commit, write):
    def search_and_write():
        provider = fill(20, space="committed")
        search(provider, times=10)
        before = execute(PREPARED, "acme")
        written = write(provider)
        search(provider)
        return written, [name for name, *_ in before], [name for name, *_ in execute(PREPARED, "acme")]

    written, before, after = commit(search_and_write)

    assert written > 0
    assert len(before) == 1
    assert after == before


def test_logged_statement_shows_the_vector(in_acme):
    provider = fill(20)

    with CaptureQueriesContext(connection) as queries:
        search(provider, times=10)

    shown = sent_searches(queries)
    assert len(shown) == 10
    assert len(set(shown)) == 1
    assert "<=> '[" in shown[0]


@pytest.mark.parametrize("model", [None, models.HalfCosineEmbedding, models.L2Embedding])
def test_vector_sent_as_text_or_in_binary_is_the_same(in_acme, make_table, model):
    if model is not None:
        make_table(model)
    provider = fill(50, model=model, space="default")
    odd = np.array([1e-4, -0.1, 1 / 3, 6e4, -1e-7, 2.0**-14, 12345.678, 0.0])

    for vector in (QUERY, odd):
        in_binary = list(provider.nearest(vector)[:50])
        as_text = list(provider.nearest(vector).order_by("distance", "pk")[:50])

        assert sorted(row.distance for row in in_binary) == [row.distance for row in as_text]


def test_array_that_changes_after_it_was_searched_for_changes_nothing(in_acme):
    provider = fill(50, space="default")
    vector = QUERY.astype(np.float32)
    expected = keys_of(search(provider))

    found = provider.nearest(vector)[:5]
    vector[:] = -vector

    assert keys_of(found) == expected


def state_of(row):
    return {name: value for name, value in vars(row).items() if name not in ("distance", "score", "_state")}


def test_object_of_a_search_is_as_djangos(in_acme):
    provider = fill(1)
    [own] = search(provider)
    django = provider.objects.get()

    assert own == django
    assert state_of(own) == state_of(django)
    for name in ("adding", "db", "fetch_mode", "schema_name"):
        assert getattr(own._state, name) == getattr(django._state, name)
    assert own.get_deferred_fields() == {"vector", "keywords", "keyword_recipe"}
    own.content = "changed"
    own.save()
    assert provider.objects.get().content == "changed"
    assert len(own.vector) == 8
