import json

import numpy as np
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.search.documents import EmbeddedDocument
from apps.search.storage.pgvector import PgVectorProvider
from apps.search.storage.pgvector.ann import recall
from apps.search.storage.pgvector.ann.builder import build_ann_index, note_down
from apps.search.storage.pgvector.ann.report import carry_out, report_ann_indexes
from apps.search.storage.pgvector.models import PgVectorEmbedding
from apps.search.storage.pgvector.searching import planner
from apps.search.storage.pgvector.searching.tuning import get_recall
from apps.search.storage.pgvector.tables.ann_index import Effort, find_ann_index, forget_ann_indexes
from tenants.context import tenant_context
from tests.search.embedder import BACKEND
from tests.search.pgvector.filling import fill, make_vectors

MANY, DIMENSIONS = 1_500, 64
QUERY = make_vectors(1, DIMENSIONS, seed=1)[0]

pytestmark = pytest.mark.usefixtures("embedder")


@pytest.fixture(autouse=True)
def _few_are_many(settings):
    settings.PGVECTOR = {"INDEX_ROWS": 200, "EXACT_ROWS": 20}
    forget_ann_indexes()
    yield
    forget_ann_indexes()


@pytest.fixture(autouse=True)
def measured(monkeypatch):
    """The recall by effort that each search is said to have; 1.0 where nothing is said."""
    recalls = {}
    monkeypatch.setattr(recall.Probe, "measure", lambda probe, ef_search: recalls.get(ef_search, 1.0))
    return recalls


def care():
    return [(status.action, fault) for status, fault in carry_out(report_ann_indexes())]


def find(provider):
    forget_ann_indexes()
    return find_ann_index(PgVectorEmbedding, provider.space, provider.index_name, DIMENSIONS)


def note(provider, ef_search, **about):
    effort = {"ef_search": ef_search, "recall": 0.99, "target": 0.97, "rows": MANY} | about
    note_down(find(provider).name, {"effort": effort})
    forget_ann_indexes()


def sent(rows):
    with CaptureQueriesContext(connection) as queries:
        list(rows)
    return [query["sql"] for query in queries if "AS distance" in query["sql"]]


def test_a_new_ann_index_is_measured(in_acme):
    provider = fill(MANY, dimensions=DIMENSIONS)

    done = care()

    assert done == [("build", "")]
    assert find(provider).ef_search == 64  # what every connection has
    assert care() == []


def test_the_effort_rises_until_the_recall_is_reached(in_acme, measured):
    measured.update({64: 0.9, 96: 0.96, 128: 0.979, 192: 0.98})
    provider = fill(MANY, dimensions=DIMENSIONS)

    care()

    assert find(provider).ef_search == 192  # 0.97, and a third of the allowed misses in reserve


def test_what_no_effort_reaches_is_told(in_acme, measured):
    measured.update(dict.fromkeys((64, *recall.EFFORTS), 0.5))
    provider = fill(MANY, dimensions=DIMENSIONS)

    done = [care() for _ in range(4)]

    (status,) = report_ann_indexes()
    assert done == [[("build", "")], [("rebuild", "")], [("rebuild", "")], []]
    assert find(provider).ef_search == 1_000
    assert (status.action, status.misses_target) == ("none", True)
    assert status.why == "in use; even the largest effort finds 0.500 of the nearest rows, not 0.97"


def test_a_search_knows_what_it_misses(in_acme, measured):
    provider = fill(MANY, dimensions=DIMENSIONS)
    care()
    plans = [provider.nearest(QUERY)[:5]]
    list(plans[0])
    note(provider, 1_000, recall=0.93)
    plans.append(provider.nearest(QUERY)[:5])

    list(plans[1])

    assert [rows.plan.missed_recall for rows in plans] == [None, 0.93]


def test_where_no_effort_suffices_the_graph_becomes_denser(in_acme, globex, measured):
    with tenant_context(globex):
        fill(MANY, dimensions=DIMENSIONS)
        care()
    measured.update(dict.fromkeys((64, *recall.EFFORTS), 0.5))
    provider = fill(MANY, dimensions=DIMENSIONS)
    care()
    (before,) = report_ann_indexes()
    measured.clear()

    care()

    (after,) = report_ann_indexes()
    assert (before.action, before.m) == ("rebuild", 32)
    assert before.why.startswith(
        "even the largest effort finds 0.500 of the nearest rows, not 0.97; a denser"
    )
    assert read_options(find(provider).name) == [
        ("acme", ["m=32", "ef_construction=128"]),
        ("globex", ["m=16", "ef_construction=64"]),
    ]
    assert (after.action, after.m, find(provider).ef_search) == ("none", 32, 64)


def read_options(name):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relnamespace::regnamespace::text, reloptions FROM pg_class WHERE relname = %s ORDER BY 1",
            [name],
        )
        return cursor.fetchall()


def test_searches_try_as_hard_as_was_measured(in_acme):
    provider = fill(MANY, dimensions=DIMENSIONS)
    care()
    as_usual = sent(provider.nearest(QUERY)[:5])
    note(provider, 192)

    (search,) = sent(provider.nearest(QUERY)[:5])
    (tuned,) = sent(provider.nearest(QUERY).tune(ef_search=80)[:5])

    assert not any("SET LOCAL" in sql for sql in as_usual)  # so that it can be prepared
    assert "SET LOCAL hnsw.ef_search = '192'" in search
    assert "SET LOCAL hnsw.ef_search = '80'" in tuned


@pytest.mark.parametrize(("share", "ef_search"), [(2, 326), (10, 864)])
def test_under_a_filter_they_try_harder_still(in_acme, share, ef_search):
    provider = PgVectorProvider(space="filled")
    vectors = make_vectors(MANY, DIMENSIONS)
    provider.add(EmbeddedDocument(f"k{n}", "text", {"n": n % share}, v) for n, v in enumerate(vectors))
    care()
    note(provider, 192)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE pgvector_pgvectorembedding")

    rows = provider.nearest(QUERY).filter(metadata__contains={"n": 1})[:5]
    list(rows)

    assert rows.plan.tuning["ef_search"] == pytest.approx(ef_search, rel=0.1)


def test_few_rows_of_many_are_searched_exactly(in_acme, settings, monkeypatch):
    provider = PgVectorProvider(space="filled")
    vectors = make_vectors(MANY, DIMENSIONS)
    provider.add(EmbeddedDocument(f"k{n}", "text", {"n": n % 60}, v) for n, v in enumerate(vectors))
    care()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE pgvector_pgvectorembedding")
    search = provider.nearest(QUERY).filter(metadata__contains={"n": 1})
    found = [search[:5], search[:5]]

    list(found[0])
    monkeypatch.setattr(planner, "FEW_TIMES", 1)
    list(found[1])

    assert [rows.plan.mode for rows in found] == ["exact", "hnsw"]
    assert found[0].plan.matches > settings.PGVECTOR["EXACT_ROWS"]
    assert found[1].plan.tuning["ef_search"] == 1_000


def test_filtered_rows_come_in_order_though_the_scan_is_relaxed(in_acme):
    provider = fill(MANY, dimensions=DIMENSIONS)
    care()
    rows = provider.nearest(QUERY).filter(metadata__n__lt=700)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL hnsw.ef_search = 10")

    (search,) = sent(rows[3:300])
    found = list(rows[3:300])

    exact = provider.nearest(QUERY).filter(metadata__n__lt=700)[:300]
    exact.query.must_be_exact = True
    assert "SET LOCAL hnsw.iterative_scan = 'relaxed_order'" in search
    assert [row.distance for row in found] == sorted(row.distance for row in found)
    assert len(found) == 297
    assert len({row.pk for row in found} & {row.pk for row in exact[3:]}) >= 280


def test_when_it_has_grown_it_is_measured_again(in_acme):
    provider = fill(MANY, dimensions=DIMENSIONS)
    care()
    note(provider, 64, rows=MANY * 2 // 3 - 1)

    (status,) = report_ann_indexes()
    done = care()

    assert status.action == "measure"
    assert status.why == "its effort was measured with 999 rows; there are 1,500"
    assert done == [("measure", "")]
    assert care() == []


def test_another_target_asks_for_another_measurement(in_acme, settings):
    fill(MANY, dimensions=DIMENSIONS)
    care()
    settings.PGVECTOR = settings.PGVECTOR | {"RECALL": 0.9}

    (status,) = report_ann_indexes()

    assert status.action == "measure"
    assert status.why == "searches are to find 0.9 of the nearest rows; it was 0.97 when measured"
    assert care() == [("measure", "")]


def test_a_space_has_its_own_target(in_acme, settings):
    entry = {"BACKEND": BACKEND, "MODEL": "pgvector.PgVectorEmbedding", "OPTIONS": {"recall": 0.99}}
    settings.EMBEDDINGS = settings.EMBEDDINGS | {"exacting": entry}

    assert get_recall("exacting") == 0.99
    assert get_recall("filled") == 0.97


@pytest.mark.parametrize("recall", [0, 1.01, 97, True, "0.97", None])
def test_a_bad_target_is_refused(in_acme, settings, recall):
    entry = {"BACKEND": BACKEND, "MODEL": "pgvector.PgVectorEmbedding", "OPTIONS": {"recall": recall}}
    settings.EMBEDDINGS = settings.EMBEDDINGS | {"bad": entry}

    with pytest.raises(ImproperlyConfigured, match=r"EMBEDDINGS\['bad'\]: recall is .*; allowed: a number"):
        get_recall("bad")
    with pytest.raises(SystemCheckError, match="recall is"):
        call_command("check")


def test_the_effort_of_one_tenant_is_not_anothers(in_acme, globex):
    provider = fill(MANY, dimensions=DIMENSIONS)
    care()
    note(provider, 512)

    with tenant_context(globex):
        build_ann_index(
            PgVectorEmbedding, fill(MANY, dimensions=DIMENSIONS).space, "default", DIMENSIONS, MANY
        )
        other = find(provider)
        statuses = report_ann_indexes()

    assert find(provider).ef_search == 512
    assert other.ef_search is None
    assert [status.action for status in statuses] == ["measure"]


def test_a_rebuild_keeps_the_effort_until_it_is_measured_again(in_acme):
    provider = fill(MANY, dimensions=DIMENSIONS)
    care()
    note(provider, 512)

    build_ann_index(PgVectorEmbedding, provider.space, "default", DIMENSIONS, MANY, anew=True)

    assert find(provider).ef_search == 512


def test_a_scan_of_more_rows_has_more_memory(in_acme):
    provider = fill(MANY, dimensions=DIMENSIONS)
    care()

    (search,) = sent(provider.nearest(QUERY).tune(max_scan_tuples=100_000)[:5])
    (usual,) = sent(provider.nearest(QUERY).tune(max_scan_tuples=20_000)[:5])

    assert "SET LOCAL hnsw.scan_mem_multiplier = '10'" in search
    assert "scan_mem_multiplier" not in usual


def test_samples_are_no_documents_but_lie_where_documents_lie(in_acme):
    provider = fill(MANY, dimensions=DIMENSIONS)

    (probes,) = recall._sample(PgVectorEmbedding, provider.space, provider.index_name, 20)

    nearest = [probe.nearest[:1][0].distance for probe in probes]
    assert min(nearest) > 0.001
    assert np.median(nearest) < 0.5  # plain noise is at 1


@pytest.mark.parametrize("about", [{}, {"effort": None}, {"effort": []}, {"effort": {"ef_search": 3}}])
def test_a_foreign_note_is_no_effort(about):
    assert Effort.read(json.loads(json.dumps(about))) is None
