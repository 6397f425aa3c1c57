import numpy as np
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.search.documents import EmbeddedDocument
from apps.search.storage.pgvector import PgVectorProvider
from apps.search.storage.pgvector.models import PgVectorEmbedding
from apps.search.storage.pgvector.tables.distance import get_metric, get_vector_type
from apps.search.storage.pgvector.tables.vectors import InvalidVectorError, VectorCheck
from tenants.context import owner_rights
from tests.models_app.models import NoteEmbedding
from tests.tables_app import models

ROWS = 2_000


@pytest.mark.parametrize(
    ("model", "name", "vector_type"),
    [
        (PgVectorEmbedding, "cosine", "vector"),
        (NoteEmbedding, "cosine", "vector"),
        (models.HalfCosineEmbedding, "cosine", "halfvec"),
        (models.HalfProductEmbedding, "ip", "halfvec"),
        (models.ProductEmbedding, "ip", "vector"),
        (models.L2Embedding, "l2", "vector"),
        (models.L1Embedding, "l1", "vector"),
        (models.IvfflatEmbedding, "cosine", "vector"),
        (models.ClasslessIvfflatEmbedding, "l2", "vector"),
    ],
)
def test_distance_follows_the_operator_class_of_the_index(model, name, vector_type):
    assert (get_metric(model).name, get_vector_type(model)) == (name, vector_type)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            models.TwoDistancesEmbedding,
            "tests_tables.TwoDistancesEmbedding: its ANN indexes serve different distances "
            "(vector_cosine_ops, vector_l2_ops); a query uses one, so keep one.",
        ),
        (
            models.WrongClassEmbedding,
            "tests_tables.WrongClassEmbedding: the operator class 'halfvec_cosine_ops' does not fit a vector "
            "column in any distance in use. Allowed: vector_cosine_ops, vector_l2_ops, vector_ip_ops, "
            "vector_l1_ops.",
        ),
        (
            models.ClasslessEmbedding,
            "tests_tables.ClasslessEmbedding: its HnswIndex 'classless' names no operator class",
        ),
    ],
)
def test_index_that_no_query_could_use_is_refused(model, message):
    with pytest.raises(ImproperlyConfigured) as caught:
        get_metric(model)

    assert str(caught.value).startswith(message)


def test_vector_of_another_type_is_refused():
    with pytest.raises(ImproperlyConfigured, match="vector is a TextField; use VectorField or HalfVectorF"):
        get_vector_type(models.TextVectorEmbedding)


@pytest.mark.parametrize(
    ("model", "index"),
    [
        (NoteEmbedding, "note_embedding_hnsw"),
        (models.HalfCosineEmbedding, "half_cosine"),
        (models.HalfProductEmbedding, "half_ip"),
        (models.L2Embedding, "plain_l2"),
        (models.ProductEmbedding, "plain_ip"),
        (models.L1Embedding, "plain_l1"),
        (models.IvfflatEmbedding, "lists"),
    ],
)
@pytest.mark.usefixtures("embedder")
def test_index_serves_the_query(model, index, make_table, in_acme):
    provider = fill(model, make_table, ROWS)

    # So few rows the planner reads one by one, unless the index search is made cheap.
    nearest = provider.nearest(provider.objects.first().vector).tune(ef_search=20)[:10]
    plan = nearest.explain()

    assert f"Index Scan using {index} on {model._meta.db_table}" in plan
    assert "Sort" not in plan
    assert nearest[0].distance == min(row.distance for row in nearest)


@pytest.mark.usefixtures("embedder")
def test_index_serves_a_filtered_query_with_as_many_rows_as_asked(in_acme, settings):
    settings.PGVECTOR = {"EXACT_ROWS": 5}
    provider = fill(NoteEmbedding, None, ROWS)
    rare = provider.nearest(provider.objects.first().vector).filter(metadata__rare=True)[:10]

    with connection.cursor() as cursor:
        # Under so selective a filter the planner may well prefer an exact scan; this is about the other plan.
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
    plan, found = rare.explain(), list(rare)

    assert "note_embedding_hnsw" in plan
    assert len(found) == 10
    assert [row.distance for row in found] == sorted(row.distance for row in found)


def fill(model, make_table, rows):
    if model._meta.app_label == "tests_tables":
        make_table(model)
    length = model._meta.get_field("vector").dimensions
    vectors = np.random.default_rng(0).normal(size=(rows, length))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    provider = PgVectorProvider(model)
    provider.add(
        EmbeddedDocument(str(number), "text", {"rare": number % 100 == 0}, vector)
        for number, vector in enumerate(vectors)
    )
    with owner_rights(), connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {model._meta.db_table}")
    return provider


numbers = st.floats(-1000, 1000, width=32).filter(lambda number: number == 0 or abs(number) > 1e-3)
vectors = st.lists(numbers, min_size=3, max_size=3).filter(any)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(vectors, min_size=1, max_size=12), query=vectors)
def test_cosine_order_is_that_of_brute_force(in_acme, rows, query):
    provider = PgVectorProvider(space="property")
    provider.clear()
    provider.add(EmbeddedDocument(str(number), "text", {}, row) for number, row in enumerate(rows))

    found = list(provider.nearest(query))

    table, asked = np.array(rows), np.array(query)
    cosines = table @ asked / np.linalg.norm(table, axis=1) / np.linalg.norm(asked)
    in_found_order = [cosines[int(row.document_key)] for row in found]
    assert in_found_order == pytest.approx(sorted(cosines, reverse=True), abs=1e-5)
    assert [row.score for row in found] == pytest.approx(in_found_order, abs=1e-5)


def test_vector_check_returns_float32():
    vector = VectorCheck(dimensions=3)([1, 2.5, np.float64(3)], "v")

    assert (vector.dtype, vector.shape, vector.tolist()) == (np.float32, (3,), [1, 2.5, 3])


def test_first_vector_fixes_the_length_of_the_next():
    check = VectorCheck()
    check([1.0, 2.0], "v")

    with pytest.raises(InvalidVectorError, match=r"^w has 3 dimensions; 2 are needed\.$"):
        check([1.0, 2.0, 3.0], "w")


def test_vector_longer_than_pgvector_allows_is_refused():
    with pytest.raises(
        InvalidVectorError, match=r"^v has the shape \(16001,\); use one dimension of 1 to 16"
    ):
        VectorCheck()(np.ones(16_001), "v")


@pytest.mark.parametrize("vector", [[1e-30] * 8, [1e30] * 8])
@pytest.mark.usefixtures("embedder", "in_acme")
def test_vector_too_small_or_large_to_have_a_cosine_is_refused(vector):
    with pytest.raises(InvalidVectorError, match=r"^The query vector is too (small|large)"):
        PgVectorProvider().nearest(vector)


@pytest.mark.usefixtures("embedder")
def test_vector_that_a_halfvec_rounds_to_zero_is_refused(make_table, in_acme):
    provider = PgVectorProvider(make_table(models.HalfCosineEmbedding))

    with pytest.raises(InvalidVectorError, match=r"^The query vector is all zeros"):
        provider.nearest([1e-9] * 8)


@pytest.mark.parametrize(
    "vectors",
    [
        [[1.0, 2.0], [0.5, 1e-3]],
        [np.array([1, 2], dtype=np.float32), np.array([1e5, 2], dtype=np.float64)],
        [[1.0, 2.0], np.array([1, 2], dtype=np.float16)],
    ],
)
def test_vectors_checked_together_are_those_checked_one_by_one(vectors):
    check = VectorCheck(allow_zero=False)

    found = check.check_together(vectors)

    assert (found.shape, found.dtype, check.dimensions) == ((2, 2), np.float32, 2)
    assert found.tolist() == [VectorCheck()(vector, "v").tolist() for vector in vectors]


@pytest.mark.parametrize(
    "vectors",
    [
        [[1.0, 2.0], [1.0, 2.0, 3.0]],
        [[1.0], [1.0, 2.0, 3.0]],
        [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]],
        [[1.0, float("nan")]],
        [[1.0, float("inf")]],
        [[1e39, 1.0]],
        [[3e38, 3e38]],
        [[0.0, 0.0]],
        [[1e-30, 1e-30]],
        [["1", "2"]],
        ["12"],
        [[1j, 2.0]],
        [[[1.0, 2.0], [1.0, 2.0]]],
        [None],
        [7],
        [[1, 2]],
        [[]],
    ],
)
def test_vectors_of_which_any_needs_a_closer_look_are_not_checked_together(vectors):
    check = VectorCheck(dimensions=2)

    assert check.check_together(vectors) is None
    assert check.dimensions == 2


def test_vectors_of_half_precision_are_not_checked_together():
    assert VectorCheck(vector_type="halfvec").check_together([[1.0, 2.0]]) is None
