import socket

import pytest

from apps.search.embedders import EmbeddingUnavailableError

from .dripping import BODY, Dripping
from .stub_client import failure_of, make_embedder
from .stub_server import DIMENSIONS


def test_missing_items_are_refused(stub_server):
    stub_server.change(lambda items: [items[0], items[2]])

    message = failure_of(make_embedder(stub_server.url), ["a", "b", "c"])

    assert "expected 3 vectors with the indexes 0 to 2, got 2 with the indexes [0, 2]" in message


def test_repeated_index_is_refused(stub_server):
    stub_server.change(lambda items: [items[0], items[0]])

    message = failure_of(make_embedder(stub_server.url), ["a", "b"])

    assert "got 2 with the indexes [0, 0]" in message


@pytest.mark.parametrize("index", [None, "0", [0], 7])
def test_wrong_index_is_refused(index, stub_server):
    stub_server.change(lambda items: [items[0] | {"index": index}])

    message = failure_of(make_embedder(stub_server.url))

    assert "expected 1 vectors with the indexes 0 to 0, got 1 with the indexes" in message


@pytest.mark.parametrize(
    ("embedding", "got"), [([1.0] * 15, "15"), ([], "0"), ("AACAPw==", "a str"), (None, "a NoneType")]
)
def test_vector_of_wrong_length_is_refused(embedding, got, stub_server):
    stub_server.change(lambda items: [items[0], items[1] | {"embedding": embedding}])

    message = failure_of(make_embedder(stub_server.url), ["a", "b"])

    assert f"expected vectors of 16 numbers, got {got}: set dimensions to what the model gives" in message


@pytest.mark.parametrize("number", [float("nan"), float("inf"), None])
def test_vector_that_is_not_finite_is_refused(number, stub_server):
    stub_server.change(lambda items: [items[0], items[1] | {"embedding": [number] * DIMENSIONS}])

    message = failure_of(make_embedder(stub_server.url), ["a", "b"])

    assert "for the text at position 1 a vector that holds NaN or an infinite number" in message


def test_vector_of_zeros_is_refused(stub_server):
    stub_server.change(lambda items: [items[0] | {"embedding": [0.0] * DIMENSIONS}])

    message = failure_of(make_embedder(stub_server.url))

    assert "for the text at position 0 a vector that is all zeros" in message


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("<html>Welcome</html>", "text/html"),
        ("{broken", "application/json"),
        ("", "application/json"),
        ({"data": None}, "application/json"),
        ({"data": {"0": 1}}, "application/json"),
        ([1, 2], "application/json"),
        ("null", "application/json"),
    ],
)
def test_answer_of_another_kind_is_refused(body, content_type, stub_server):
    stub_server.answer(body, content_type)

    message = failure_of(make_embedder(stub_server.url))

    assert message.startswith(f"OpenAICompatibleEmbedder {stub_server.url} model 'stub': ")
    assert "check base_url (most end in /v1)" in message


@pytest.mark.parametrize("items", [[None], ["text"], [1], [{}]])
def test_items_of_another_kind_are_refused(items, stub_server):
    stub_server.change(lambda _: items)

    message = failure_of(make_embedder(stub_server.url))

    assert "expected 1 vectors with the indexes 0 to 0, got 1 with the indexes" in message


def test_wrong_path_in_base_url_says_to_check_it(stub_server):
    message = failure_of(make_embedder(stub_server.url.removesuffix("/v1")))

    assert "status 404: check base_url (most end in /v1) and model" in message


def test_refused_connection_names_the_address():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        unused_port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{unused_port}/v1"

    message = failure_of(make_embedder(url, max_retries=0))

    assert f"{url} model 'stub': no connection, tried 1 times: check base_url" in message


def test_slow_service_is_given_up_after_the_timeout(stub_server):
    stub_server.be_slow(seconds=4)

    message = failure_of(make_embedder(stub_server.url, timeout=0.2, max_retries=0))

    assert "no answer within 0.2 s, tried 1 times: raise timeout or lower batch_size" in message


def test_a_service_that_sends_one_byte_at_a_time_is_given_up():
    with Dripping(BODY) as server:
        message = failure_of(make_embedder(server.url, timeout=0.6, max_retries=0))
        is_still_sending = not server.is_done.is_set()

    assert "no answer within 0.6 s" in message
    assert is_still_sending


def test_failure_in_a_later_batch_is_an_error(stub_server):
    stub_server.change(lambda items: items)
    stub_server.fail(400, "too long")

    message = failure_of(make_embedder(stub_server.url, batch_size=1), ["a", "b"])

    assert "status 400" in message


@pytest.mark.parametrize(("asked", "waited"), [("30", 30), ("9" * 20, 86_400), ("9" * 400, 86_400)])
def test_a_service_is_waited_for_no_longer_than_a_day(asked, waited, stub_server):
    stub_server.fail(429, retry_after=asked)

    with pytest.raises(EmbeddingUnavailableError) as caught:
        make_embedder(stub_server.url, max_retries=0).embed_documents(["a"])

    assert caught.value.retry_after == waited
