import time
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from apps.search.embedders import EmbeddingError
from apps.search.endpoints.patience import in_a_hurry
from apps.search_own_spaces import transport
from apps.search_own_spaces.embedder import OwnEndpointEmbedder
from apps.search_own_spaces.encryption import encrypt
from tests.embedders.contract import PROMISES
from tests.embedders.dripping import HEAD, Dripping
from tests.embedders.stub_server import DIMENSIONS, StubServer
from tests.search_own_spaces.certificates import make_certificate
from tests.search_own_spaces.conftest import KEY, PUBLIC
from tests.workers import wait_until


def make_embedder(base_url, *, key=KEY, **options):
    defaults = {"model": "stub", "dimensions": DIMENSIONS, "timeout": 10, "max_retries": 0}
    return OwnEndpointEmbedder(
        base_url=base_url,
        encrypted_key=encrypt(key, "acme") if key else "",
        key_purpose=["acme"],
        **(defaults | options),
    )


def failure_of(embedder):
    with pytest.raises(EmbeddingError) as caught:
        embedder.embed_query("cat")
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None
    return str(caught.value)


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_it_keeps_every_promise_of_an_embedder(promise, stub_server):
    promise(make_embedder(stub_server.url, batch_size=32))


def test_the_key_is_decrypted_and_sent(stub_server):
    make_embedder(stub_server.url).embed_query("cat")

    assert stub_server.requests[0]["headers"]["Authorization"] == f"Bearer {KEY}"


def test_without_a_key_none_is_sent(stub_server):
    make_embedder(stub_server.url, key="").embed_query("cat")

    assert stub_server.requests[0]["headers"]["Authorization"] is None


def test_nothing_of_this_servers_environment_is_sent(stub_server, monkeypatch):
    for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_API_KEY", "OPENAI_ADMIN_KEY"):
        monkeypatch.setenv(name, "of-the-operator")

    make_embedder(stub_server.url).embed_query("cat")

    headers = stub_server.requests[0]["headers"]
    assert "of-the-operator" not in str(headers)
    assert {name.lower() for name in headers} == {
        *("host", "content-type", "content-length", "accept", "user-agent", "accept-encoding"),
        "authorization",
    }


def test_proxies_of_the_environment_are_not_used(stub_server, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    make_embedder(stub_server.url).embed_query("cat")

    assert len(stub_server.requests) == 1


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/v1", "https://[::1]/v1", "https://localhost/v1", "http://10.0.0.1"]
)
def test_a_private_address_is_refused_and_not_connected_to(connections, url):
    message = failure_of(make_embedder(url))

    refusals = ["is not a public address, and no other is allowed here", "has no address that may be asked"]
    assert any(refusal in message for refusal in refusals)
    assert connections == []


def test_a_tenant_does_not_learn_what_an_internal_name_leads_to(resolver, connections):
    for address in ("10.1.2.3", "169.254.169.254", "127.0.0.1", "fd00::1"):
        resolver[f"db{len(resolver)}.test"] = [[address]]
    hosts = [*resolver, "none.test"]

    messages = [failure_of(make_embedder(f"https://{host}/v1")) for host in hosts]

    assert {message.replace(host, "HOST") for host, message in zip(hosts, messages, strict=True)} == {
        messages[-1].replace("none.test", "HOST")
    }
    assert connections == []


def test_what_is_connected_to_is_what_was_judged_though_the_name_changes(resolver, connections):
    resolver["rebind.test"] = [[PUBLIC], ["127.0.0.1"]]
    embedder = make_embedder("https://rebind.test/v1")

    first, second = failure_of(embedder), failure_of(embedder)

    assert "no connection, tried 1 times" in first
    assert "the name rebind.test has no address that may be asked" in second
    assert "127.0.0.1" not in second
    assert connections == [(PUBLIC, 443)]


def test_each_address_of_a_host_is_tried(resolver, connections):
    resolver["twice.test"] = [["2606:4700::1111", PUBLIC]]

    message = failure_of(make_embedder("https://twice.test/v1"))

    assert connections == [("2606:4700::1111", 443), (PUBLIC, 443)]
    assert "(nobody listens)" in message


def test_a_name_without_address_is_named(resolver):
    message = failure_of(make_embedder("https://no-such-host.invalid/v1"))

    assert "(the name no-such-host.invalid has no address that may be asked)" in message


@pytest.mark.parametrize("host", ["a..b", "." * 5, "x" * 70])
def test_a_name_that_can_be_none_is_no_crash(host):
    assert "has no address" in failure_of(make_embedder(f"https://{host}/v1"))


@pytest.mark.usefixtures("private_allowed")
def test_a_key_does_not_cross_the_internet_in_the_clear(resolver, connections):
    resolver["open.test"] = [[PUBLIC]]

    message = failure_of(make_embedder("http://open.test/v1"))

    assert "open.test is in the internet: give its address as https://" in message
    assert connections == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(stub_server, status):
    stub_server.fail(status, location="http://127.0.0.1:9/v1/embeddings")

    message = failure_of(make_embedder(stub_server.url, max_retries=3))

    assert f"status {status}: it redirects, which is not followed" in message
    assert len(stub_server.requests) == 1


def test_a_long_answer_is_not_read_to_its_end(stub_server):
    stub_server.answer("x" * 2_000_000)

    message = failure_of(make_embedder(stub_server.url, batch_size=1))

    assert "the answer is longer than 101,024 bytes" in message


def test_a_packed_answer_is_not_unpacked(stub_server):
    stub_server._answers.append(lambda _: (200, "x", {"Content-Encoding": "gzip"}))

    assert "the answer is packed (Content-Encoding)" in failure_of(make_embedder(stub_server.url))


def test_a_service_that_sends_one_byte_at_a_time_is_given_up(private_allowed):
    with Dripping(HEAD) as server:
        message = failure_of(make_embedder(server.url, timeout=0.6))
        is_still_sending = not server.is_done.is_set()

    assert "no answer within 0.6 s" in message
    assert is_still_sending


def test_the_certificate_must_be_that_of_the_name(resolver, monkeypatch, tmp_path, private_allowed):
    context, authority = make_certificate(tmp_path, "embeddings.test")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    resolver |= {"embeddings.test": [["127.0.0.1"]], "other.test": [["127.0.0.1"]]}
    server = StubServer()
    server._http.socket = context.wrap_socket(server._http.socket, server_side=True)
    port = server._http.server_port

    with server:
        vector = make_embedder(f"https://embeddings.test:{port}/v1").embed_query("cat")
        message = failure_of(make_embedder(f"https://other.test:{port}/v1"))

    assert vector.shape == (DIMENSIONS,)
    assert server.requests[0]["headers"]["Host"] == f"embeddings.test:{port}"
    assert "certificate verify failed" in message
    assert len(server.requests) == 1


def test_a_key_that_was_encrypted_for_somebody_else_is_not_sent(stub_server):
    embedder = make_embedder(stub_server.url)
    embedder._key_purpose = ("globex",)

    assert "its key cannot be read, give it again" in failure_of(embedder)
    assert stub_server.requests == []


def test_in_a_hurry_a_service_that_failed_is_left_alone_for_a_while(stub_server):
    embedder = make_embedder(stub_server.url, max_retries=3)
    stub_server.fail(503, "starting")

    with in_a_hurry():
        messages = [failure_of(embedder), failure_of(embedder)]
    vector = embedder.embed_query("cat")  # who has time asks, and ends the pause
    with in_a_hurry():
        embedder.embed_query("dog")

    assert "status 503: tried 1 times" in messages[0]
    assert "it failed a moment ago and is asked again in" in messages[1]
    assert vector.shape == (DIMENSIONS,)
    assert len(stub_server.requests) == 3


def test_after_the_pause_one_search_finds_out_for_all(stub_server):
    def search():
        with in_a_hurry():
            return embedder.embed_query("cat")

    embedder = make_embedder(stub_server.url)
    stub_server.fail(500)
    with pytest.raises(EmbeddingError):
        search()
    embedder._pause._until = time.monotonic()  # the pause is over
    stub_server.be_slow(seconds=2)

    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(search)
        wait_until(lambda: len(stub_server.requests) == 2)
        with pytest.raises(EmbeddingError, match="it failed a moment ago"):
            search()
        assert len(first.result(60)) == DIMENSIONS

    assert len(search()) == DIMENSIONS


def test_a_refusal_that_is_the_tenants_own_fault_makes_no_pause(stub_server):
    embedder = make_embedder(stub_server.url)
    stub_server.fail(400, "too long")

    with in_a_hurry():
        failure_of(embedder)
        vector = embedder.embed_query("dog")

    assert vector.shape == (DIMENSIONS,)


def test_another_host_than_the_endpoints_is_not_asked(stub_server):
    guarded = transport.GuardedTransport("http://elsewhere.test/v1", key=KEY, max_bytes=9)

    with pytest.raises(transport.RefusedRequestError, match="is another host than that of the endpoint"):
        guarded.handle_request(httpx2.Request("POST", f"{stub_server.url}/embeddings"))
