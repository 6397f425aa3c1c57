import numpy as np
import pytest
from django.db import connection

from apps.search.documents import EmbeddedDocument
from apps.search.storage.pgvector import PgVectorProvider
from apps.search.storage.pgvector.ann.builder import build_ann_index
from apps.search.storage.pgvector.ann.report import carry_out, report_ann_indexes
from apps.search.storage.pgvector.tables.ann_index import forget_ann_indexes, get_ann_index_name
from tenants.context import tenant_context
from tests.search.pgvector.filling import fill, make_vectors
from tests.tables_app.models import HalfCosineEmbedding

# They look into the catalog, and make indexes, as no tenant may.
pytestmark = pytest.mark.usefixtures("as_owner")

ROWS = 2_000
QUERY = make_vectors(1, 8, seed=1)[0]
ODD = [1e-15, 1e-9, 1e-7, 1e-3, 1.0, 1e5, 1e15]


@pytest.fixture(autouse=True)
def _few_are_many(settings):
    settings.PGVECTOR = {"INDEX_ROWS": 1_000}
    forget_ann_indexes()
    yield
    forget_ann_indexes()


def execute(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)


def build(provider):
    build_ann_index(provider.model, provider.space, provider.index_name, 8, ROWS)
    forget_ann_indexes()
    for plan in ("sort", "seqscan", "bitmapscan"):
        execute(f"SET LOCAL enable_{plan} = off")


def add_odd(provider):
    provider.add(EmbeddedDocument(f"odd{length:g}", "text", {}, QUERY * length) for length in ODD)


def build_as_before(provider):
    name = get_ann_index_name(provider.space, provider.index_name, 8)
    execute(
        f"CREATE INDEX {name} ON pgvector_pgvectorembedding "
        "USING hnsw ((vector::halfvec(8)) halfvec_cosine_ops) "
        f"WHERE space = '{provider.space}' AND index_name = '{provider.index_name}'"
    )
    execute(f"""COMMENT ON INDEX {name} IS '{{"rows": {ROWS}, "dimensions": 8}}'""")
    execute("ANALYZE pgvector_pgvectorembedding (space, index_name, metadata)")
    forget_ann_indexes()
    return name


@pytest.mark.parametrize("is_built_first", [True, False])
def test_ann_index_finds_vectors_of_every_length(in_acme, is_built_first):
    provider = fill(ROWS)
    steps = [build, add_odd] if is_built_first else [add_odd, build]
    for step in steps:
        step(provider)

    rows = provider.nearest(QUERY)[: len(ODD)]

    assert {row.document_key for row in rows} == {f"odd{length:g}" for length in ODD}
    assert rows.plan.mode == "hnsw"
    assert [row.distance for row in rows] == pytest.approx([0] * len(ODD), abs=1e-3)


@pytest.mark.parametrize("length", ODD)
def test_query_of_every_length_finds_the_same(in_acme, length):
    provider = fill(ROWS)
    build(provider)
    expected = [(row.document_key, row.distance) for row in provider.nearest(QUERY)[:10]]

    rows = provider.nearest(QUERY * length)[:10]
    by_django = provider.nearest(QUERY * length).order_by("distance", "pk")[:10]

    for found in (rows, by_django):
        assert [row.document_key for row in found] == [key for key, _ in expected]
        assert [row.distance for row in found] == pytest.approx([far for _, far in expected], abs=1e-3)
    assert rows.plan.mode == "hnsw"


def test_half_column_keeps_the_direction_of_every_length(in_acme, make_table, tables_app):
    provider = PgVectorProvider(make_table(HalfCosineEmbedding), space="odd")
    lengths = [1e-5, 1e-4, 1.0, 1e4]
    provider.add(EmbeddedDocument(f"{length:g}", "text", {}, QUERY * length) for length in lengths)

    found = {row.document_key: row.distance for row in provider.nearest(QUERY * 1e-5)}

    assert found == pytest.approx({f"{length:g}": 0 for length in lengths}, abs=1e-5)


def test_ann_index_of_an_older_version_serves_until_it_is_built_anew(acme, globex):
    with tenant_context(globex):
        build(fill(ROWS))
    with tenant_context(acme):
        provider = fill(ROWS)
        name = build_as_before(provider)
        exact = {row.document_key for row in provider.nearest(QUERY)[:1_001]}
        before = provider.nearest(QUERY)[:10]
        old = {row.document_key for row in before}
        [status] = report_ann_indexes()

        assert [fault for _, fault in carry_out([status])] == [""]

        after = provider.nearest(QUERY * 1e-7)[:10]
        assert len(after) == 10
        assert old <= exact
        assert (before.plan.mode, before.plan.is_unit) == ("hnsw", False)
        assert (status.name, status.mode, status.action) == (name, "hnsw", "rebuild")
        assert status.why.startswith("an older version built it: very short vectors are not found")
        assert (after.plan.mode, after.plan.is_unit) == ("hnsw", True)
        assert [each.action for each in report_ann_indexes()] == ["none"]
    with tenant_context(globex):
        assert [each.action for each in report_ann_indexes()] == ["measure"]


def test_lengths_that_halves_hold_well_are_sent_as_they_are(in_acme):
    vector = (QUERY / np.linalg.norm(QUERY)).astype(np.float32)

    sent = PgVectorProvider(space="odd").nearest(vector)._spec.vector

    assert (sent == vector).all()
