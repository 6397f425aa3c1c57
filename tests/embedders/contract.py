"""What every embedder promises. A new embedder is held to it by one line in EMBEDDERS of test_contract.py:

    "mine": lambda server: MyEmbedder(option="value"),

It needs equal prefixes (none is best) and a batch_size of at most 32, the default. An embedder that lives
elsewhere is held to it by a test of its own:

    @pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
    def test_my_embedder_keeps(promise):
        promise(MyEmbedder())
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from apps.search.embedders import InvalidTextError

PROMISES = []

TEXTS = [
    "A cat sits on a mat.",
    "Read settings from a configuration file",
    "Der schnelle braune Fuchs springt über den faulen Hund",
    "猫がマットの上に座っている",
    "🦊🚀 👩‍👩‍👧",
    "line one\nline two\ttab",
    "x",
]
TOLERANCE = 1e-4


def promise(function):
    PROMISES.append(function)
    return function


@promise
def documents_give_one_float32_vector_each(embedder):
    vectors = embedder.embed_documents(TEXTS)

    assert vectors.shape == (len(TEXTS), embedder.dimensions)
    assert vectors.dtype == np.float32


@promise
def query_gives_one_float32_vector(embedder):
    vector = embedder.embed_query(TEXTS[0])

    assert vector.shape == (embedder.dimensions,)
    assert vector.dtype == np.float32


@promise
def vectors_have_length_one(embedder):
    lengths = np.linalg.norm(embedder.embed_documents(TEXTS).astype(np.float64), axis=1)

    assert np.allclose(lengths, 1, atol=1e-6)


@promise
def same_text_gives_same_vector(embedder):
    first, again = embedder.embed_documents(TEXTS), embedder.embed_documents(TEXTS)

    assert np.allclose(first, again, atol=TOLERANCE)


@promise
def different_texts_give_different_vectors(embedder):
    vectors = embedder.embed_documents(TEXTS)

    likeness = vectors @ vectors.T - np.eye(len(TEXTS))
    assert likeness.max() < 1 - TOLERANCE


@promise
def query_equals_document_when_prefixes_are_equal(embedder):
    queries = [embedder.embed_query(text) for text in TEXTS]

    assert embedder.query_prefix == embedder.document_prefix
    assert np.allclose(queries, embedder.embed_documents(TEXTS), atol=TOLERANCE)


@promise
def batching_changes_no_vector(embedder):
    many = [f"{text} {number}" for number in range(10) for text in TEXTS]

    together = embedder.embed_documents(many)

    assert len(many) > 2 * embedder.batch_size
    assert np.allclose(together[::10], [embedder.embed_query(text) for text in many[::10]], atol=TOLERANCE)


@promise
def order_of_texts_is_kept(embedder):
    forward, backward = embedder.embed_documents(TEXTS), embedder.embed_documents(TEXTS[::-1])

    assert np.allclose(forward, backward[::-1], atol=TOLERANCE)


@promise
def generator_is_read_once(embedder):
    vectors = embedder.embed_documents(text for text in TEXTS)

    assert np.allclose(vectors, embedder.embed_documents(TEXTS), atol=TOLERANCE)


@promise
def no_texts_give_no_vectors(embedder):
    vectors = embedder.embed_documents([])

    assert vectors.shape == (0, embedder.dimensions)
    assert vectors.dtype == np.float32


@promise
def single_str_is_refused_as_documents(embedder):
    with pytest.raises(TypeError, match="put it into a list"):
        embedder.embed_documents("one text")


@promise
def text_of_20000_words_works(embedder):
    long = "settings are read from a file " * 3334

    vectors = embedder.embed_documents(["short", long])

    assert vectors.shape == (2, embedder.dimensions)


@promise
def blank_text_is_refused_with_its_position(embedder):
    for blank in ("", " ", "\n\t", "\u3000\u2028"):
        assert _refusal(embedder, ["good", blank]) == (1, "is empty or blank")


@promise
def nul_byte_is_refused_with_its_position(embedder):
    assert _refusal(embedder, ["good", "fine", "a\0b"]) == (2, "contains a NUL byte at character 1")


@promise
def lone_surrogate_is_refused_with_its_position(embedder):
    expected = "contains a lone surrogate (U+D800) at character 2"

    assert _refusal(embedder, ["ab\ud800"]) == (0, expected)


@promise
def other_type_is_refused_with_its_position(embedder):
    assert _refusal(embedder, ["good", None]) == (1, "must be a str, not NoneType")
    assert _refusal(embedder, [b"bytes"]) == (0, "must be a str, not bytes")


@promise
def refused_text_in_a_later_batch_keeps_its_position(embedder):
    texts = ["good"] * 40 + [" "]

    assert len(texts) > embedder.batch_size
    assert _refusal(embedder, texts) == (40, "is empty or blank")


@promise
def query_is_refused_as_a_document_is(embedder):
    for text in ("", "a\0b", "\udfff", None):
        with pytest.raises(InvalidTextError, match="Text at position 0"):
            embedder.embed_query(text)


@promise
def progress_adds_up_to_the_number_of_texts(embedder):
    steps = []

    embedder.embed_documents(["text"] * 70, progress=steps.append)

    assert sum(steps) == 70
    assert max(steps) == embedder.batch_size


@promise
def threads_share_one_embedder(embedder):
    alone = embedder.embed_documents(TEXTS)

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda _: embedder.embed_documents(TEXTS), range(8)))

    assert all(np.allclose(vectors, alone, atol=TOLERANCE) for vectors in together)


@promise
def model_id_and_dimensions_are_declared(embedder):
    assert isinstance(embedder.model_id, str)
    assert str(embedder.dimensions) in embedder.model_id
    assert embedder.max_words is None or embedder.max_words > 0


@promise
def tokens_lie_within_the_text_and_in_its_order(embedder):
    for text in [*TEXTS, "", " ", "a\0b", "lone \ud800", TEXTS[0] * 300]:
        tokens = embedder.find_tokens(text)

        assert all(0 <= start < end <= len(text) for start, end in tokens)
        assert [start for start, _ in tokens] == sorted(start for start, _ in tokens)


@promise
def as_many_tokens_are_counted_as_are_found(embedder):
    for text in [*TEXTS, "", "a\0b", "lone \ud800", TEXTS[0] * 300]:
        assert embedder.count_tokens(text) == len(embedder.find_tokens(text))


@promise
def whatever_is_within_the_limit_of_tokens_is_read(embedder):
    words = ["settings"] * (embedder.token_limit or 1000)
    while embedder.count_tokens(" ".join(words)) > (embedder.token_limit or 1000):
        words.pop()

    vectors = embedder.embed_documents([" ".join(words), " ".join([*words[:-1], "cat"])])

    assert np.abs(vectors[0] - vectors[1]).max() > 0


@promise
def nothing_is_missing(embedder):
    embedder.check_requirements()


def _refusal(embedder, texts):
    with pytest.raises(InvalidTextError) as caught:
        embedder.embed_documents(texts)
    assert str(caught.value).startswith(f"Text at position {caught.value.position} (counted from 0)")
    return caught.value.position, caught.value.reason
