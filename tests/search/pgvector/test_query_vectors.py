import threading

import numpy as np
import pytest
from asgiref.sync import async_to_sync

from apps.search.embedders import EmbeddingError, InvalidTextError
from apps.search.storage.pgvector.provider import PgVectorProvider
from apps.search.storage.pgvector.searching.query_vectors import QueryUse, QueryVectors, get_query_use
from tenants.context import tenant_context
from tests.search.embedder import HashingEmbedder

pytestmark = pytest.mark.usefixtures("embedder")


def test_equal_texts_are_embedded_once_in_a_tenant(in_acme, embedder):
    vectors = [PgVectorProvider().embed_query(text) for text in ("red apple", "red apple", "Red apple")]

    assert embedder.embedded == ["red apple", "Red apple"]
    assert vectors[0] is vectors[1]
    assert np.array_equal(vectors[0], HashingEmbedder().embed_query("red apple"))
    assert get_query_use() == QueryUse(texts=3, known=1)


def test_what_a_tenant_searched_for_is_new_to_another(acme, globex, embedder):
    for tenant in (acme, globex):
        with tenant_context(tenant):
            PgVectorProvider().embed_query("a secret plan")
            assert get_query_use() == QueryUse(texts=1, known=0)

    assert embedder.embedded == ["a secret plan"] * 2


def test_the_tenant_of_the_provider_counts_and_not_the_bound_one(acme, globex, embedder):
    with tenant_context(globex):
        PgVectorProvider(tenant=acme).embed_query("apple")
        async_to_sync(PgVectorProvider(tenant=acme)._as_vector)("apple")
        assert get_query_use() == QueryUse()
        PgVectorProvider().embed_query("apple")

    assert embedder.embedded == ["apple"] * 2
    with tenant_context(acme):
        assert get_query_use() == QueryUse(texts=2, known=1)


def test_embedders_with_another_prefix_or_length_have_vectors_of_their_own(in_acme, embedder):
    for options in ({}, {"query_prefix": "query: "}, {"dimensions": 4}):
        PgVectorProvider(embedder=HashingEmbedder(**options)).embed_query("apple")

    assert embedder.embedded == ["apple", "query: apple", "apple"]


def test_a_caller_cannot_change_what_is_remembered(in_acme):
    vector = PgVectorProvider().embed_query("apple")

    with pytest.raises(ValueError, match="read-only"):
        vector[0] = 1


def test_what_fails_is_tried_again(in_acme, embedder):
    def fail(texts):
        raise EmbeddingError("no answer")

    embedder.before_batch = staticmethod(fail)
    with pytest.raises(EmbeddingError):
        PgVectorProvider().embed_query("apple")
    embedder.before_batch = staticmethod(lambda texts: None)

    PgVectorProvider().embed_query("apple")

    assert embedder.embedded == ["apple"]


@pytest.mark.parametrize("text", [None, " ", "\ud800"])
def test_bad_texts_are_refused_as_ever(in_acme, text):
    with pytest.raises(InvalidTextError):
        PgVectorProvider().embed_query(text)


def test_it_can_be_switched_off(in_acme, embedder, settings):
    settings.PGVECTOR = {"QUERIES": 0}

    for _ in range(2):
        PgVectorProvider().embed_query("apple")

    assert embedder.embedded == ["apple"] * 2


def test_a_quick_embedder_is_not_remembered(in_acme, embedder, monkeypatch):
    monkeypatch.setattr(HashingEmbedder, "is_worth_caching", False)

    for _ in range(2):
        PgVectorProvider().embed_query("apple")

    assert embedder.embedded == ["apple"] * 2


def keep(known, schema, *keys, most=10, most_bytes=1_000):
    for key in keys:
        known.keep(schema, key, np.zeros(10, np.float32), most, most_bytes)  # 40 bytes


def test_a_tenant_loses_its_own_oldest_beyond_its_number():
    known = QueryVectors()
    keep(known, "acme", b"1", b"2", most=2)
    keep(known, "globex", b"1", most=2)
    known.find("acme", b"1")

    keep(known, "acme", b"3", most=2)

    assert [known.find("acme", key) is not None for key in (b"1", b"2", b"3")] == [True, False, True]
    assert known.find("globex", b"1") is not None


def test_the_quietest_tenant_loses_its_vectors_beyond_the_bytes_of_all():
    known = QueryVectors()
    keep(known, "quiet", b"1", b"2", most_bytes=160)
    known.find("nothing", b"1")
    keep(known, "busy", b"1", most_bytes=160)
    known.find("busy", b"1")

    keep(known, "busy", b"2", b"3", b"4", most_bytes=160)

    assert [known.find("busy", key) is not None for key in (b"1", b"2", b"3", b"4")] == [True] * 4
    assert known.find("quiet", b"2") is None
    assert known._bytes == 160


def test_threads_agree_on_the_bytes():
    known = QueryVectors()
    numbers = range(200)

    def work(schema):
        keep(known, schema, *(b"%d" % number for number in numbers), most=50, most_bytes=2_000)

    threads = [threading.Thread(target=work, args=(name,)) for name in ("acme", "globex", "acme")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    held = sum(vector.nbytes for own in known._tenants.values() for vector in own.vectors.values())
    assert known._bytes == held <= 2_000
