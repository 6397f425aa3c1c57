"""What every embedding table promises through the provider, whatever its type and distance."""

import numpy as np
import pytest

from apps.search.documents import EmbeddedDocument, InvalidDocumentError
from apps.search.storage.pgvector import PgVectorProvider
from apps.search.storage.pgvector.models import PgVectorEmbedding
from apps.search.storage.pgvector.tables.vectors import InvalidVectorError
from tenants.context import tenant_context
from tests.models_app.models import NoteEmbedding
from tests.tables_app import models

TABLES = {
    "default": PgVectorEmbedding,
    "note": NoteEmbedding,
    "halfvec-cosine": models.HalfCosineEmbedding,
    "halfvec-ip": models.HalfProductEmbedding,
    "l2": models.L2Embedding,
    "ip": models.ProductEmbedding,
    "l1": models.L1Embedding,
    "ivfflat": models.IvfflatEmbedding,
}
DISTANCES = {
    "cosine": lambda rows, query: 1 - rows @ query / np.linalg.norm(rows, axis=1) / np.linalg.norm(query),
    "l2": lambda rows, query: np.linalg.norm(rows - query, axis=1),
    "ip": lambda rows, query: -rows @ query,
    "l1": lambda rows, query: np.abs(rows - query).sum(axis=1),
}
SCORES = {
    "cosine": lambda distances: 1 - distances,
    "l2": lambda distances: 1 / (1 + distances),
    "ip": lambda distances: -distances,
    "l1": lambda distances: 1 / (1 + distances),
}


@pytest.fixture(params=TABLES)
def table(request, make_table, embedder):
    model = TABLES[request.param]
    if model._meta.app_label == "tests_tables":
        make_table(model)
    return model


@pytest.fixture
def length(table):
    return table._meta.get_field("vector").dimensions or 8


@pytest.fixture
def provider(table, in_acme):
    return PgVectorProvider(table)


def make_documents(count, length, seed=0, **metadata):
    vectors = np.random.default_rng(seed).normal(size=(count, length)).astype(np.float32)
    return [
        EmbeddedDocument(f"k{number}", f"text {number}", metadata | {"number": number}, vector)
        for number, vector in enumerate(vectors)
    ]


def test_documents_come_back_as_they_were_added(provider, length):
    document = EmbeddedDocument(
        "k/ü:1", "a\ttext\nof 漢字 \\ '\"%", {"a": [1, None, {"b": "ü\\"}]}, [0.5] * length
    )

    changed = provider.add([document])

    row = provider.objects.get()
    assert changed == 1
    assert (row.document_key, row.content, row.metadata) == ("k/ü:1", document.content, document.metadata)
    assert row.vector == [0.5] * length
    assert (row.space, row.index_name) == ("default", "default")


def test_adding_counts_changed_rows_only(provider, length):
    documents = make_documents(5, length)
    provider.add(documents)
    again = make_documents(7, length)
    again[2] = EmbeddedDocument("k2", "new text", again[2].metadata, again[2].vector)
    again[3] = EmbeddedDocument("k3", "text 3", {"new": True}, again[3].vector)
    again[4] = EmbeddedDocument("k4", "text 4", again[4].metadata, again[3].vector)

    changed = provider.add(again[:5])

    assert changed == 3
    assert provider.add(again[:5]) == 0
    assert provider.objects.get(document_key="k2").content == "new text"
    assert provider.objects.get(document_key="k3").metadata == {"new": True}
    assert provider.objects.get(document_key="k4").vector == provider.objects.get(document_key="k3").vector


def test_nearest_is_in_the_order_of_brute_force(provider, length):
    documents = make_documents(60, length)
    query = np.random.default_rng(1).normal(size=length).astype(np.float32)
    provider.add(documents)
    name = next(name for name in DISTANCES if name == distance_of(provider.model))

    found = list(provider.nearest(query))

    stored = np.array([provider.objects.get(pk=row.pk).vector for row in found])
    expected = DISTANCES[name](stored, query)
    rounding = 1e-2 if "Half" in provider.model.__name__ else 1e-4
    assert len(found) == 60
    assert [row.distance for row in found] == pytest.approx(expected, abs=rounding)
    assert [row.score for row in found] == pytest.approx(SCORES[name](expected), abs=rounding)
    assert [row.distance for row in found] == sorted(row.distance for row in found)
    assert [row.score for row in found] == sorted((row.score for row in found), reverse=True)


def distance_of(model):
    names = {"Product": "ip", "L2": "l2", "L1": "l1"}
    return next((distance for name, distance in names.items() if name in model.__name__), "cosine")


def test_indexes_and_spaces_with_the_same_keys_do_not_touch_each_other(provider, table, length):
    others = [PgVectorProvider(table, index_name="poems"), PgVectorProvider(table, space="custom-made")]
    everyone = [provider, *others]
    for seed, one in enumerate(everyone):
        one.add(make_documents(4, length, seed, owner=seed))

    assert (provider.delete(["k0"]), provider.prune_to(["k1", "k2"]), provider.clear()) == (1, 1, 2)

    assert [one.objects.count() for one in everyone] == [0, 4, 4]
    for seed, one in enumerate(everyone[1:], 1):
        assert {row.metadata["owner"] for row in one.nearest([1.0] * length)} == {seed}


@pytest.mark.parametrize("keys", [lambda: ["k1", "k2", "gone", "k1"], lambda: (f"k{n}" for n in (1, 2))])
def test_delete_takes_any_iterable_and_counts(provider, length, keys):
    provider.add(make_documents(4, length))

    assert provider.delete(keys()) == 2
    assert provider.delete(keys()) == 0
    assert set(provider.objects.values_list("document_key", flat=True)) == {"k0", "k3"}


@pytest.mark.parametrize("keys", [lambda: ["k1", "k2", "new", "k1"], lambda: (f"k{n}" for n in (1, 2))])
def test_prune_keeps_the_keys_given(provider, length, keys):
    provider.add(make_documents(4, length))

    assert provider.prune_to(keys()) == 2
    assert set(provider.objects.values_list("document_key", flat=True)) == {"k1", "k2"}


def test_prune_to_nothing_and_clear_leave_nothing(provider, length):
    for empty in (lambda: provider.prune_to([]), provider.clear):
        provider.add(make_documents(3, length))

        assert empty() == 3
        assert not provider.objects.exists()


def test_another_tenant_sees_and_touches_nothing(provider, table, length, globex):
    documents = make_documents(3, length)
    provider.add(documents)

    with tenant_context(globex):
        theirs = PgVectorProvider(table)
        assert not theirs.objects.exists()
        assert not theirs.nearest([1.0] * length).exists()
        assert (theirs.delete(["k0"]), theirs.prune_to([]), theirs.clear()) == (0, 0, 0)
        assert theirs.add(make_documents(2, length, seed=9)) == 2

    assert provider.objects.count() == 3
    assert provider.add(documents) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda vector: vector[:-1], r"vector has \d+ dimensions; \d+ are needed\."),
        (lambda vector: [*vector, 1.0], r"vector has \d+ dimensions; \d+ are needed\."),
        (lambda vector: [float("nan"), *vector[1:]], "vector holds NaN, infinity or a number beyond"),
        (lambda vector: [float("-inf"), *vector[1:]], "vector holds NaN, infinity or a number beyond"),
        (lambda vector: [1e39, *vector[1:]], "vector holds NaN, infinity or a number beyond"),
        (lambda vector: [None, *vector[1:]], "vector holds NaN, infinity or a number beyond"),
        (lambda vector: [vector, vector], r"vector has the shape \(2, \d+\); use one dimension"),
        (lambda vector: [], r"vector has the shape \(0,\); use one dimension of 1 to 16,000 numbers"),
        (lambda vector: 1.0, r"vector has the shape \(\); use one dimension"),
        (lambda vector: ["a"] * len(vector), "vector must be a sequence of numbers"),
        (lambda vector: ["1.5"] * len(vector), "vector must be a sequence of numbers"),
        (lambda vector: [1j, *vector[1:]], "vector must be a sequence of numbers"),
        (lambda vector: [[1.0], *vector[1:]], "vector must be a sequence of numbers"),
        (lambda vector: [10**400, *vector[1:]], "vector must be a sequence of numbers"),
        (lambda vector: None, "vector "),
    ],
    ids=[
        "short",
        "long",
        "nan",
        "inf",
        "float32",
        "none",
        "2-d",
        "empty",
        "scalar",
        "text",
        "digits",
        "complex",
        "ragged",
        "huge",
        "null",
    ],
)
def test_bad_vector_is_refused_and_nothing_written(provider, length, change, message):
    documents = make_documents(9, length)
    documents[6] = EmbeddedDocument("bad", "text", {}, change([1.0] * length))

    with pytest.raises(InvalidDocumentError, match=f"^Document 'bad': {message}"):
        provider.add(documents)
    with pytest.raises(InvalidVectorError, match=f"^The query {message}"):
        provider.nearest(change([1.0] * length))

    assert not provider.objects.exists()


def test_zero_vector_is_refused_where_the_distance_needs_a_direction(provider, length):
    zero = EmbeddedDocument("zero", "text", {}, [0.0] * length)

    if distance_of(provider.model) != "cosine":
        assert provider.add([zero]) == 1
        return
    with pytest.raises(
        InvalidDocumentError, match=r"^Document 'zero': vector is all zeros, which has no dir"
    ):
        provider.add([zero])


def test_number_beyond_the_type_is_refused(provider, length):
    large = EmbeddedDocument("large", "text", {}, [65_505.0, *[1.0] * (length - 1)])

    if "Half" not in provider.model.__name__:
        assert provider.add([large]) == 1
        return
    with pytest.raises(
        InvalidDocumentError, match=r"^Document 'large': vector holds NaN, inf.* beyond 65504;"
    ):
        provider.add([large])
