from hypothesis import given
from hypothesis import strategies as st

from apps.search.embedders import MiniLMEmbedder, WordLlamaEmbedder
from apps.search.embedders.tokenizing import estimate_count, estimate_tokens
from tests.search.embedder import HashingEmbedder

from .stub_client import make_embedder


def test_the_tokens_of_a_model_are_its_own():
    text = "Unbelievable, isn't it?"

    assert [text[start:end] for start, end in MiniLMEmbedder().find_tokens(text)] == [
        *["Unbelievable", ",", "isn", "'", "t", "it", "?"]
    ]
    assert WordLlamaEmbedder().count_tokens(text) == 10


def test_a_text_that_is_not_read_whole_is_counted_whole():
    assert MiniLMEmbedder().count_tokens("cat " * 1000) == 1000


def test_a_prefix_takes_its_tokens_off_the_limit():
    assert MiniLMEmbedder().token_limit == 254
    assert MiniLMEmbedder(document_prefix="search_document: ").token_limit == 250
    assert MiniLMEmbedder(document_prefix="many " * 400).token_limit == 1


def test_an_embedder_without_a_tokenizer_estimates_by_bytes():
    embedder = make_embedder("http://localhost/v1", max_input_bytes=100, document_prefix="doc: ")

    assert embedder.token_limit == 23
    assert embedder.count_tokens("12345678") == 2
    assert embedder.count_tokens("123456789") == 3
    assert embedder.find_tokens("ab日本c") == [(0, 2), (2, 4), (4, 5)]


def test_a_prefix_longer_than_what_is_sent_leaves_a_token():
    assert make_embedder("http://localhost/v1", max_input_bytes=4, document_prefix="doc: ").token_limit == 1


def test_an_embedder_of_ones_own_reads_a_token_for_each_of_its_words():
    embedder = HashingEmbedder()
    assert embedder.token_limit is None

    embedder.max_words = 40

    assert embedder.token_limit == 40


@given(st.text())
def test_estimated_tokens_cover_the_text(text):
    tokens = estimate_tokens(text)

    assert len(tokens) == estimate_count(text)
    assert {at for start, end in tokens for at in range(start, end)} == set(range(len(text)))
    assert tokens == sorted(tokens)
