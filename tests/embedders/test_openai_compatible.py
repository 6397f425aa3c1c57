import numpy as np
import pytest

from apps.search.embedders import EmbeddingError

from .stub_client import KEY, failure_of, make_embedder
from .stub_server import DIMENSIONS, make_vector

AT_ONCE = "0.01"


def unit(text, dimensions=DIMENSIONS):
    vector = np.array(make_vector(text, dimensions))
    return vector / np.linalg.norm(vector)


def test_request_carries_model_texts_key_and_float_format(stub_server):
    make_embedder(stub_server.url).embed_documents(["one", "two"])

    (request,) = stub_server.requests
    assert request["headers"]["Authorization"] == f"Bearer {KEY}"
    assert (request["model"], request["input"]) == ("stub", ["one", "two"])
    assert request["encoding_format"] == "float"
    assert "dimensions" not in request


def test_send_dimensions_asks_the_service_to_shorten(stub_server):
    embedder = make_embedder(stub_server.url, dimensions=5, send_dimensions=True)

    vectors = embedder.embed_documents(["one"])

    assert stub_server.requests[0]["dimensions"] == 5
    assert np.allclose(vectors[0], unit("one", 5), atol=1e-6)


def test_prefixes_go_before_queries_and_documents(stub_server):
    embedder = make_embedder(stub_server.url, query_prefix="query: ", document_prefix="passage: ")

    embedder.embed_query("cat")
    embedder.embed_documents(["dog"])

    assert [request["input"] for request in stub_server.requests] == [["query: cat"], ["passage: dog"]]


def test_texts_go_in_batches(stub_server):
    make_embedder(stub_server.url, batch_size=2).embed_documents(["a", "b", "c"])

    assert [request["input"] for request in stub_server.requests] == [["a", "b"], ["c"]]


def test_request_stays_below_the_services_token_limit(stub_server):
    embedder = make_embedder(stub_server.url, max_input_bytes=200_000)
    texts = ["a" * 150_000, "b" * 150_000, "c" * 10]

    vectors = embedder.embed_documents(texts)

    assert [len(request["input"]) for request in stub_server.requests] == [2, 1]
    assert np.allclose(vectors, [unit(text) for text in texts], atol=1e-6)


def test_long_text_is_cut_between_characters(stub_server):
    make_embedder(stub_server.url, max_input_bytes=8).embed_query("a" + "€" * 10)

    assert stub_server.requests[0]["input"] == ["a€€"]


def test_shuffled_answer_is_put_in_order(stub_server):
    stub_server.change(lambda items: [items[2], items[0], items[1]])
    texts = ["one", "two", "three"]

    vectors = make_embedder(stub_server.url).embed_documents(texts)

    assert np.allclose(vectors, [unit(text) for text in texts], atol=1e-6)


def test_rate_limit_is_retried_after_the_time_asked_for(stub_server):
    stub_server.fail(429, "slow down", retry_after=AT_ONCE)

    vector = make_embedder(stub_server.url).embed_query("cat")

    assert len(stub_server.requests) == 2
    assert np.allclose(vector, unit("cat"), atol=1e-6)


def test_unavailable_service_is_retried(stub_server):
    stub_server.fail(503, "starting", retry_after=AT_ONCE)
    stub_server.fail(503, "starting", retry_after=AT_ONCE)

    vector = make_embedder(stub_server.url).embed_query("cat")

    assert len(stub_server.requests) == 3
    assert np.allclose(vector, unit("cat"), atol=1e-6)


def test_lasting_rate_limit_is_an_error_after_all_retries(stub_server):
    for _ in range(3):
        stub_server.fail(429, "quota used up", retry_after=AT_ONCE)

    message = failure_of(make_embedder(stub_server.url, max_retries=2))

    assert len(stub_server.requests) == 3
    assert f"{stub_server.url} model 'stub': status 429: the rate limit or the quota is used up" in message
    assert "quota used up" in message


def test_lasting_server_fault_is_an_error_after_all_retries(stub_server):
    for _ in range(2):
        stub_server.fail(500, "out of memory", retry_after=AT_ONCE)

    message = failure_of(make_embedder(stub_server.url, max_retries=1))

    assert "status 500: tried 2 times, the service is at fault: try again later" in message


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (400, "check model, dimensions, send_dimensions and max_input_bytes"),
        (401, "check api_key, or the environment variable that api_key_env names"),
        (403, "check that this api_key may use the model"),
        (404, "check base_url (most end in /v1) and model"),
    ],
)
def test_refusal_is_not_retried_and_says_what_to_do(status, advice, stub_server):
    stub_server.fail(status, "the service's own words")

    message = failure_of(make_embedder(stub_server.url))

    assert len(stub_server.requests) == 1
    assert f"status {status}: {advice}. The service said:" in message
    assert "the service's own words" in message


def test_key_is_in_no_message_cause_or_repr(stub_server):
    stub_server.fail(401, f"Incorrect API key provided: {KEY}")
    embedder = make_embedder(stub_server.url)

    with pytest.raises(EmbeddingError) as caught:
        embedder.embed_query("cat")

    assert "Incorrect API key provided: ***" in str(caught.value)
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None
    assert KEY not in f"{caught.value!r} {embedder!r} {embedder.model_id}"
