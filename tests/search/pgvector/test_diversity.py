import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.search.documents import EmbeddedDocument
from apps.search.storage.pgvector import PgVectorProvider
from apps.search.storage.pgvector.ranking.diversity import SIMILARITIES, diversify
from tenants.context import tenant_context
from tests.tables_app import models

INNER_PRODUCTS = {
    "default": None,
    "halfvec-cosine": models.HalfCosineEmbedding,
    "l2": models.L2Embedding,
    "ip": models.ProductEmbedding,
    "l1": models.L1Embedding,
}
SMALL = st.integers(-4, 4)


def multiply(left, right):
    return sum(a * b for a, b in zip(left, right, strict=True))


def diversify_naively(scores, vectors, limit, balance):
    """The definition, in inner products: of small integers these are exact."""
    picked = []
    while len(picked) < min(limit, len(scores)):
        values = {
            n: balance * scores[n]
            - (1 - balance) * max((multiply(vectors[n], vectors[m]) for m in picked), default=0)
            for n in range(len(scores))
            if n not in picked
        }
        picked.append(max(values, key=values.get))
    return picked


@given(
    vectors=st.lists(st.lists(SMALL, min_size=3, max_size=3), min_size=1, max_size=12),
    query=st.lists(SMALL, min_size=3, max_size=3),
    limit=st.integers(1, 14),
    balance=st.sampled_from([0, 0.25, 0.5, 0.75, 1]),
)
def test_picks_are_those_of_the_definition(vectors, query, limit, balance):
    scores = [multiply(vector, query) for vector in vectors]

    picked = diversify(
        np.array(scores, dtype=float),
        np.array(vectors, dtype=float),
        limit=limit,
        balance=balance,
        similarity=SIMILARITIES["ip"],
    )

    assert picked == diversify_naively(scores, vectors, limit, balance)


@pytest.fixture(params=INNER_PRODUCTS)
def provider(request, in_acme, make_table, embedder):
    model = INNER_PRODUCTS[request.param]
    if model is not None:
        make_table(model)
    provider = PgVectorProvider(model)
    provider.add(
        EmbeddedDocument(key, "text", {"n": number}, [*vector, 0, 0, 0, 0, 0])
        for number, (key, vector) in enumerate(
            {"a": (2, 0.5, 0), "b": (2, 0.6, 0), "c": (2, 0.7, 0), "d": (2, 0, 1.5)}.items()
        )
    )
    return provider


QUERY = [2, 0.4, 0.1, 0, 0, 0, 0, 0]


def keys_of(rows):
    return [row.document_key for row in rows]


def test_a_row_that_says_something_else_comes_before_those_that_repeat(provider):
    nearest = keys_of(provider.nearest(QUERY)[:4])

    diverse = keys_of(provider.nearest(QUERY).diverse(limit=2, balance=0.4))

    assert diverse == [nearest[0], "d"]


def test_at_balance_1_the_rows_are_the_nearest(provider):
    assert keys_of(provider.nearest(QUERY).diverse(3, balance=1)) == keys_of(provider.nearest(QUERY)[:3])


def test_only_the_window_is_looked_at(provider):
    nearest = keys_of(provider.nearest(QUERY)[:3])

    assert set(keys_of(provider.nearest(QUERY).diverse(3, window=3, balance=0))) == set(nearest)


def test_filters_thresholds_and_slices_come_first(provider):
    rows = provider.nearest(QUERY)

    assert keys_of(rows.filter(metadata__n__lt=3).diverse(9, balance=0.1)) == keys_of(
        provider.nearest(QUERY).filter(metadata__n__lt=3).diverse(3, balance=0.1)
    )
    assert len(provider.nearest(QUERY)[:2].diverse(4)) == 2
    assert provider.nearest(QUERY).above(1e9).diverse() == []


def test_two_queries_and_rows_with_their_scores(provider, django_assert_num_queries):
    list(provider.nearest(QUERY)[:1])  # whether there is an index is looked up now and then
    search = provider.nearest(QUERY)

    with django_assert_num_queries(2):
        rows = search.diverse(4, window=4)

    assert {row.document_key: row.score for row in rows} == {
        row.document_key: row.score for row in provider.nearest(QUERY)
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"limit": 0}, "limit must be a whole number of at least 1, not 0"),
        ({"limit": 10, "window": 9}, "window must be a whole number of at least 10, not 9"),
        ({"balance": 1.1}, r"balance is 1\.1; it must be a number from 0 to 1"),
        ({"balance": float("nan")}, "balance is nan; it must be a number from 0 to 1"),
        ({"balance": "1"}, "balance is '1'; it must be a number from 0 to 1"),
    ],
)
def test_bad_argument_is_refused(in_acme, embedder, arguments, message):
    with pytest.raises(ValueError, match=message):
        PgVectorProvider().nearest([1.0] * 8).diverse(**arguments)


def test_another_tenants_rows_are_not_among_them(provider, acme, globex):
    with tenant_context(globex):
        theirs = PgVectorProvider(provider.model)
        assert theirs.nearest(QUERY).diverse() == []
        ours = PgVectorProvider(provider.model, tenant=acme)

        assert keys_of(ours.nearest(QUERY).diverse(4)) == keys_of(provider_in(acme, provider).diverse(4))


def provider_in(tenant, provider):
    return PgVectorProvider(provider.model, tenant=tenant).nearest(QUERY).filter(metadata__n__gte=0)
