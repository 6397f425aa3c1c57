from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from django.db import DatabaseError, OperationalError, connection
from django.test.utils import CaptureQueriesContext
from psycopg.errors import DiskFull

from apps.search.documents import EmbeddedDocument
from apps.search.storage.pgvector import PgVectorProvider
from apps.search.storage.pgvector.ann import builder
from apps.search.storage.pgvector.ann.builder import (
    AnnIndexBusyError,
    build_ann_index,
    drop_ann_index,
)
from apps.search.storage.pgvector.ann.recall import measure_recall
from apps.search.storage.pgvector.ann.status import is_busy
from apps.search.storage.pgvector.models import KeywordIndex, KeywordPostings, PgVectorEmbedding
from apps.search.storage.pgvector.searching.nearest import NearestQuerySet
from apps.search.storage.pgvector.tables import ann_index
from apps.search.storage.pgvector.tables.ann_index import forget_ann_indexes, get_ann_index_name
from tenants.context import tenant_context
from tenants.locks import Lock, take
from tenants.models import Tenant
from tests.search.pgvector.filling import fill, make_vectors

# They look into the queue and the catalog, and spoil indexes, as no tenant may.
pytestmark = pytest.mark.usefixtures("as_owner")

INDEXES = """
    SELECT indexname FROM pg_indexes
    WHERE schemaname = %s AND indexname ~ '^pgvector_[0-9a-f]{16}_hnsw' ORDER BY 1
"""
VALIDITY = """
    SELECT i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s
"""
OWN_LOCKS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
SCRATCH = "scratch_vector_indexes"


@pytest.fixture(autouse=True)
def _forget():
    forget_ann_indexes()
    yield
    forget_ann_indexes()


@pytest.fixture
def in_scratch(db):
    """Call a function in a session of its own, whose statements commit, in a schema made for it."""

    with ThreadPoolExecutor(1) as pool:
        yield lambda function: pool.submit(_run_in_scratch, function).result(timeout=120)


def _run_in_scratch(function):
    connection.set_tenant(Tenant(schema_name=SCRATCH))
    execute(f"DROP SCHEMA IF EXISTS {SCRATCH} CASCADE")
    execute(f"CREATE SCHEMA {SCRATCH}")
    try:
        with connection.schema_editor() as editor:
            for model in (PgVectorEmbedding, KeywordIndex, KeywordPostings):
                editor.create_model(model)
        return function()
    finally:
        execute(f"DROP SCHEMA {SCRATCH} CASCADE")
        connection.close()


def execute(sql, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)
        return cursor.fetchall() if cursor.description else []


def list_indexes(schema="acme"):
    return [name for (name,) in execute(INDEXES, schema)]


def is_valid(name, schema="acme"):
    return [valid for (valid,) in execute(VALIDITY, schema, name)]


def invalidate(name, schema="acme"):
    execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass", f"{schema}.{name}")


def build(provider, dimensions, rows=1_000):
    build_ann_index(PgVectorEmbedding, provider.space, provider.index_name, dimensions, rows)
    return get_ann_index_name(provider.space, provider.index_name, dimensions)


def explain(queryset):
    with CaptureQueriesContext(connection) as queries:
        found = list(queryset)
    plan = execute(f"EXPLAIN {queries[-1]['sql']}")
    return found, "\n".join(line for (line,) in plan)


def keys_of(rows):
    return [row.document_key for row in rows]


@pytest.mark.parametrize(
    ("dimensions", "rows", "mode"), [(64, 3_000, "hnsw"), (2_500, 500, "hnsw"), (4_200, 1_000, "binary")]
)
def test_search_goes_through_the_built_index_and_finds_what_an_exact_one_finds(
    in_acme, dimensions, rows, mode
):
    provider = fill(rows, dimensions=dimensions)
    execute(f"SET LOCAL enable_sort = {rows >= 3_000}")  # so few rows are sorted sooner than looked up
    query = make_vectors(1, dimensions, seed=1)[0]
    exact = list(provider.nearest(query)[:10])

    name = build(provider, dimensions)
    nearest = provider.nearest(query)[:10]
    found, plan = explain(nearest)

    assert nearest.plan.mode == mode
    assert name in plan
    assert keys_of(found) == keys_of(exact)
    assert measure_recall(PgVectorEmbedding, provider.space, provider.index_name) >= 0.98


def test_quotes_and_percents_in_names_are_harmless(in_acme):
    provider = fill(3_000, dimensions=64, space="it's 100%s", index_name='"; DROP TABLE x; -- \\')
    query = make_vectors(1, 64, seed=1)[0]

    name = build(provider, 64)
    found, plan = explain(provider.nearest(query)[:10])

    assert name in plan
    assert len(found) == 10


def test_building_twice_changes_nothing(in_acme):
    provider = fill(50)

    names = [build(provider, 8), build(provider, 8)]

    assert list_indexes() == [names[0]] == [names[1]]


def test_two_indexes_of_a_tenant_do_not_touch_each_other(in_acme):
    notes, letters = (fill(50, index_name=index) for index in ("notes", "letters"))
    names = [build(notes, 8), build(letters, 8)]

    drop_ann_index(names[0])

    assert list_indexes() == [names[1]]
    assert (notes.objects.count(), letters.objects.count()) == (50, 50)


def test_another_tenants_index_of_that_name_is_not_touched(acme, globex):
    for tenant in (acme, globex):
        with tenant_context(tenant):
            name = build(fill(50), 8)

    with tenant_context(acme):
        drop_ann_index(name)

    assert (list_indexes("acme"), list_indexes("globex")) == ([], [name])


def test_an_invalid_leftover_is_replaced(in_acme):
    provider = fill(50)
    name = build(provider, 8)
    invalidate(name)

    build(provider, 8)

    assert is_valid(name) == [True]


def test_a_dropped_index_is_not_missed(in_acme):
    provider = fill(600, dimensions=64)
    query = make_vectors(1, 64, seed=1)[0]
    name = build(provider, 64)
    before = keys_of(provider.nearest(query)[:10])

    drop_ann_index(name)
    drop_ann_index(name)
    nearest = provider.nearest(query)[:10]

    assert keys_of(nearest) == before
    assert nearest.plan.mode == "exact"


@pytest.mark.parametrize(
    ("rows", "dimensions", "megabytes"),
    [(5_000, 384, 8), (100_000, 384, 150), (5_000_000, 384, 512), (100_000, 8_000, 172)],
)
def test_memory_is_asked_for_by_the_size_of_the_graph(rows, dimensions, megabytes):
    assert builder._get_memory(rows, dimensions) == megabytes


def test_the_cap_on_memory_is_a_setting(settings):
    settings.PGVECTOR = {"MAINTENANCE_WORK_MEM_MB": 64}

    assert builder._get_memory(1_000_000, 384) == 64


def test_outside_a_transaction_it_is_built_concurrently_and_the_session_is_left_as_it_was(in_scratch):
    parameters = [*builder.SESSION, "maintenance_work_mem", "max_parallel_maintenance_workers"]

    def build_and_drop():
        before = [execute(f"SHOW {parameter}") for parameter in parameters]
        provider = fill(300, dimensions=16)
        with CaptureQueriesContext(connection) as queries:
            name = build(provider, 16, rows=2_000_000)
        built = list_indexes(SCRATCH), is_valid(name, SCRATCH)
        with CaptureQueriesContext(connection) as more:
            drop_ann_index(name)
        sent = [query["sql"] for query in (*queries, *more)]
        after = [execute(f"SHOW {parameter}") for parameter in parameters]
        return name, built, list_indexes(SCRATCH), sent, before == after, execute(OWN_LOCKS)

    name, built, left, sent, is_same, locks = in_scratch(build_and_drop)

    assert built == ([name], [True])
    assert left == []
    for statement in ("CREATE INDEX CONCURRENTLY", "DROP INDEX CONCURRENTLY"):
        assert any(sql.startswith(statement) for sql in sent)
    assert is_same
    assert locks == [(0,)]


def test_a_build_that_fails_leaves_no_index_behind(in_scratch):
    def build_of_two_lengths():
        provider = fill(50)
        fill(1, dimensions=9, index_name="other")
        PgVectorEmbedding.objects.filter(index_name="other").update(index_name="default", document_key="odd")
        with pytest.raises(DatabaseError, match="expected 8 dimensions, not 9"):
            build(provider, 8)
        return list_indexes(SCRATCH), is_busy(get_ann_index_name("filled", "default", 8))

    assert in_scratch(build_of_two_lengths) == ([], False)


def test_without_shared_memory_for_parallel_workers_it_is_built_without_them(in_scratch):
    refused = []

    def refuse_once(execute, sql, params, many, context):
        if "CREATE INDEX" in sql and not refused:
            refused.append(sql)
            raise OperationalError("could not resize shared memory segment") from DiskFull()
        return execute(sql, params, many, context)

    def build_with_little():
        provider = fill(50)
        with connection.execute_wrapper(refuse_once), CaptureQueriesContext(connection) as queries:
            name = build(provider, 8)
        return is_valid(name, SCRATCH), " ".join(query["sql"] for query in queries)

    valid, sent = in_scratch(build_with_little)

    assert valid == [True]
    assert "SET max_parallel_maintenance_workers = 0" in sent
    assert "RESET max_parallel_maintenance_workers" in sent


def test_two_sessions_never_build_the_same_index(in_scratch):
    def build_beside_another():
        provider = fill(50)
        name = get_ann_index_name(provider.space, provider.index_name, 8)
        other = connection.copy()
        try:
            take(Lock.ANN_INDEX, builder.get_lock_name(name), session=other)
            busy = is_busy(name)
            with pytest.raises(AnnIndexBusyError, match=rf"works on the ANN index {SCRATCH}\.{name}\."):
                build(provider, 8)
        finally:
            other.close()
        return busy, list_indexes(SCRATCH)

    assert in_scratch(build_beside_another) == (True, [])


def test_recall_counts_what_an_index_misses(in_acme, monkeypatch):
    provider = fill(600, dimensions=64)
    build(provider, 64)
    fetch = NearestQuerySet._fetch_quickly

    def fetch_half(rows, spec):
        fetch(rows, spec)
        rows._result_cache = rows._result_cache[:5]

    monkeypatch.setattr(NearestQuerySet, "_fetch_quickly", fetch_half)

    assert measure_recall(PgVectorEmbedding, provider.space, provider.index_name) == pytest.approx(0.5)


def test_recall_of_equal_documents_is_whole(in_acme):
    provider = PgVectorProvider(space="equal")
    provider.add(EmbeddedDocument(f"k{n}", "text", {}, np.eye(8)[0]) for n in range(50))

    assert measure_recall(PgVectorEmbedding, provider.space, provider.index_name) == 1.0


def test_nothing_stored_has_no_recall(in_acme):
    assert measure_recall(PgVectorEmbedding, "default", "default") is None


def test_answers_about_indexes_do_not_pile_up(in_acme, monkeypatch):
    monkeypatch.setattr(ann_index._known, "size", 3)

    for number in range(10):
        ann_index.find_ann_index(PgVectorEmbedding, "default", f"index{number}", 8)

    assert 0 < len(ann_index._known) <= 3
