import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.search.documents import EmbeddedDocument
from apps.search.storage.pgvector import PgVectorProvider
from apps.search.storage.pgvector.ann import builder, copies
from apps.search.storage.pgvector.ann.builder import build_ann_index
from apps.search.storage.pgvector.ann.recall import measure_recall
from apps.search.storage.pgvector.ann.report import carry_out, report_ann_indexes
from apps.search.storage.pgvector.tables.ann_index import (
    find_ann_index,
    forget_ann_indexes,
    get_ann_index_name,
)
from tenants.context import tenant_context
from tests.search.pgvector.filling import make_vectors

# They look into the catalog, and make indexes, as no tenant may.
pytestmark = pytest.mark.usefixtures("as_owner")

DIMENSIONS = 64
OTHERS, COPIES = 2_500, 500
COPIED = make_vectors(1, DIMENSIONS, seed=100)[0]


@pytest.fixture(autouse=True)
def _few_are_many(settings):
    settings.PGVECTOR = {"INDEX_ROWS": 1_000, "EXACT_ROWS": 50}
    forget_ann_indexes()
    yield
    forget_ann_indexes()


def execute(sql, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)
        return cursor.fetchall() if cursor.description else []


def get_provider():
    return PgVectorProvider(space="copied")


def add(prefix, vectors, **metadata):
    provider = get_provider()
    numbered = enumerate(vectors)
    provider.add(EmbeddedDocument(f"{prefix}{n}", "text", {"n": n, **metadata}, each) for n, each in numbered)
    return provider


def add_others():
    return add("k", make_vectors(OTHERS, DIMENSIONS), kind="other")


def add_copies(vector=COPIED, prefix="copy"):
    return add(prefix, np.repeat(vector[None], COPIES, axis=0), kind="copy")


def add_mixed():
    """All at once in any order, as a graph suffers most from."""
    near = COPIED + 0.15 * np.random.default_rng(5).normal(size=(100, DIMENSIONS))
    copied = np.repeat(COPIED[None], COPIES, axis=0)
    vectors = np.concatenate([make_vectors(OTHERS, DIMENSIONS), near, copied])
    return add("k", np.random.default_rng(6).permutation(vectors))


def build(provider, dimensions=DIMENSIONS):
    build_ann_index(provider.model, provider.space, provider.index_name, dimensions, OTHERS + COPIES)
    forget_ann_indexes()


def force_the_ann_index():
    execute("SET LOCAL enable_sort = off")
    execute("SET LOCAL enable_seqscan = off")
    execute("SET LOCAL enable_bitmapscan = off")


def list_queries(count):
    """Points round the copied vector, from where its copies hide what is nearer."""
    noise = np.random.default_rng(7).normal(size=(count, DIMENSIONS))
    return [COPIED / np.linalg.norm(COPIED) + each / np.linalg.norm(each) for each in noise]


def exactly(provider, query, low, high):
    rows = provider.nearest(query)[low:high]
    rows.query.must_be_exact = True
    return [row.distance for row in rows]


def get_recall(provider, queries):
    found = [[row.distance for row in provider.nearest(query)[:10]] for query in queries]
    exact = [exactly(provider, query, 0, 10) for query in queries]
    hits = [sum(d <= e[-1] + 1e-3 for d in f) for f, e in zip(found, exact, strict=True)]
    return sum(hits) / 10 / len(queries)


def test_vector_with_many_copies_hides_no_others(in_acme):
    provider = add_mixed()
    build(provider)
    force_the_ann_index()

    recall = get_recall(provider, list_queries(20))

    name = get_ann_index_name(provider.space, provider.index_name, DIMENSIONS)
    with CaptureQueriesContext(connection) as queries:
        plan = [rows := provider.nearest(COPIED)[:10], list(rows)] and rows.plan
    plans = [str(execute(f"EXPLAIN {query['sql']}")) for query in queries if " AS distance" in query["sql"]]
    assert recall >= 0.98
    assert (plan.mode, len(plan.left_out)) == ("hnsw", 1)
    assert [f"using {name} on" in plans[0], f"using {name}_copies on" in plans[1]] == [True, True]


@pytest.mark.parametrize(("low", "high"), [(0, 5), (3, 20), (490, 520), (0, 600)])
def test_rows_that_are_left_out_are_found_in_their_place(in_acme, low, high):
    add_others()
    provider = add_copies()
    build(provider)
    query = COPIED + make_vectors(1, DIMENSIONS, seed=3)[0] / 4

    found = [row.distance for row in provider.nearest(query).tune(ef_search=1_000)[low:high]]

    assert found == pytest.approx(exactly(provider, query, low, high), abs=2e-3)


@pytest.mark.parametrize("where", [{"metadata__kind": "copy"}, {"metadata__n__lt": 300}])
def test_filters_leave_what_they_fit_of_both(in_acme, where):
    add_others()
    provider = add_copies()
    build(provider)

    found = list(provider.nearest(COPIED).filter(**where)[:400])

    expected = list(provider.nearest(COPIED).filter(**where)[:2_000])[:400]
    assert [row.distance for row in found] == pytest.approx([row.distance for row in expected], abs=2e-3)
    assert provider.nearest(COPIED).filter(metadata__kind="other")[:1][0].document_key.startswith("k")


def test_later_writes_of_such_rows_are_seen_at_once(in_acme):
    add_others()
    provider = add_copies()
    build(provider)

    provider.delete([f"copy{n}" for n in range(COPIES - 2)])
    few = [row.document_key for row in provider.nearest(COPIED)[:3]]
    add("late", [COPIED])
    more = [row.document_key for row in provider.nearest(COPIED)[:3]]

    assert set(few[:2]) == {"copy498", "copy499"}
    assert set(more) == {"copy498", "copy499", "late0"}


def test_searches_of_djangos_query_and_pages_are_right(in_acme):
    add_others()
    provider = add_copies()
    build(provider)

    values = list(provider.nearest(COPIED).values_list("document_key", flat=True)[:COPIES])
    first = provider.nearest(COPIED).page(COPIES)
    second = provider.nearest(COPIED).page(10, after=first.next)

    assert {key[:4] for key in values} == {"copy"}
    assert {row.document_key[:4] for row in first.rows} == {"copy"}
    assert {row.document_key[0] for row in second.rows} == {"k"}


def test_copies_are_seen_by_the_measurement_and_left_out_by_a_rebuild(in_acme, monkeypatch):
    provider = add_mixed()
    with monkeypatch.context() as patched:
        patched.setattr(builder, "find_copied", lambda *key: {})
        build(provider)
    force_the_ann_index()

    [before] = report_ann_indexes(with_recall=True)
    outcomes = [(status.action, fault) for status, fault in carry_out([before])]
    [after] = report_ann_indexes(with_recall=True)

    assert before.recall < 0.9
    assert (before.mode, before.action) == ("hnsw", "rebuild")
    assert before.why == "many rows have one vector, which hides others: it will leave them out"
    assert outcomes == [("rebuild", "")]
    assert after.recall >= 0.93  # of some 25 searches
    assert (after.mode, after.action, after.why) == ("hnsw", "none", "in use")


def test_few_copies_stay_in_the_ann_index(in_acme):
    add_others()
    provider = add("few", np.repeat(COPIED[None], 90, axis=0))
    build(provider)

    assert find_ann_index(provider.model, provider.space, "default", DIMENSIONS).left_out == ()
    assert [status.action for status in report_ann_indexes()] == ["measure"]


def test_a_large_table_is_looked_through_only_where_a_sample_shows_copies(in_acme, monkeypatch):
    monkeypatch.setattr(copies, "SAMPLED", 2_000)
    provider = add_others()
    build(provider)
    with CaptureQueriesContext(connection) as queries:
        quiet = [status.action for status in report_ann_indexes()]
    add_copies()

    looked = [query["sql"] for query in queries if "AS digest" in query["sql"]]
    assert quiet == ["measure"]
    assert len(looked) == 1
    assert "TABLESAMPLE" in looked[0]
    assert [status.action for status in report_ann_indexes()] == ["rebuild"]


def test_binary_ann_index_leaves_copies_out_too(in_acme):
    vectors = make_vectors(1_000, 4_100)
    add("k", vectors[:600])
    provider = add("copy", np.repeat(vectors[-1][None], 400, axis=0))
    build(provider, 4_100)

    rows = provider.nearest(vectors[-1])[:405]
    found = [row.document_key for row in rows]

    assert (rows.plan.mode, len(rows.plan.left_out)) == ("binary", 1)
    assert {key[:4] for key in found[:400]} == {"copy"}
    assert len(set(found)) == 405


def test_what_one_tenant_leaves_out_is_nothing_to_another(acme, globex):
    with tenant_context(acme):
        add_others()
        build(add_copies())
    with tenant_context(globex):
        build(add_others())
        theirs = find_ann_index(get_provider().model, "copied", "default", DIMENSIONS)
        found = [row.document_key for row in get_provider().nearest(COPIED)[:10]]

    assert theirs.left_out == ()
    assert {key[0] for key in found} == {"k"}


def test_what_a_killed_build_left_is_dropped(in_acme):
    build(add_others())
    name = get_ann_index_name("copied", "default", DIMENSIONS)
    execute(f"CREATE INDEX {name}_new ON pgvector_pgvectorembedding (id)")

    statuses = report_ann_indexes()
    list(carry_out(statuses))

    assert [(each.name, each.action) for each in statuses] == [(name, "measure"), (f"{name}_new", "drop")]
    assert [each.name for each in report_ann_indexes()] == [name]


def test_dropping_an_ann_index_drops_that_of_its_copies(in_acme):
    add_others()
    provider = add_copies()
    build(provider)
    provider.clear()

    list(carry_out(report_ann_indexes()))

    assert execute("SELECT relname FROM pg_class WHERE relname LIKE 'pgvector%%_hnsw%%'") == []


def test_recall_of_copies_alone_is_whole(in_acme):
    provider = add_copies()
    build(provider)

    assert measure_recall(provider.model, provider.space, provider.index_name) == 1.0
