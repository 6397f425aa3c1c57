"""HTTP to an endpoint that a tenant named: to addresses that may be asked, within bounds of time and size.

Made for `httpx2.Client(transport=...)`. The environment's proxies are not used, as they would connect to an
address that nobody here has judged. Of the headers only those below are sent, since the client library adds
some from this server's environment.
"""

import httpcore2
import httpx2

from apps.search_own_spaces.addresses import RefusedAddressError
from apps.search_own_spaces.connecting import GuardedBackend, time_limit

SENT_HEADERS = ("host", "content-type", "content-length", "accept", "user-agent")
FAULTS = (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.UnsupportedProtocol)


class RefusedRequestError(Exception):
    """A request that is not made, or an answer that is not read; to ask again would not help."""


class GuardedTransport(httpx2.BaseTransport):
    """Asks the endpoint at `base_url`, with `key` where it has one; reads at most `max_bytes` of an answer.

    A request with its answer takes no longer than the longest of the client's timeouts, and what the
    resolver needs. Raises RefusedRequestError, and httpx2's own errors.
    """

    def __init__(self, base_url: str, *, key: str, max_bytes: int) -> None:
        self._url = httpx2.URL(base_url)
        self._key = key
        self._max_bytes = max_bytes
        self._pool = httpcore2.ConnectionPool(
            ssl_context=httpcore2.default_ssl_context(),
            network_backend=GuardedBackend(is_encrypted=self._url.scheme == "https"),
            max_connections=20,
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the answer, read to its end."""
        if _origin(request.url) != _origin(self._url):
            raise RefusedRequestError(f"{request.url.host} is another host than that of the endpoint")
        timeouts = [seconds for seconds in request.extensions.get("timeout", {}).values() if seconds]
        try:
            with time_limit(max(timeouts, default=30.0)):
                return self._ask(request)
        except RefusedAddressError as error:
            raise RefusedRequestError(str(error)) from error
        except httpcore2.TimeoutException as error:
            raise httpx2.ReadTimeout(str(error)) from error
        except FAULTS as error:
            raise httpx2.ConnectError(str(error)) from error

    def close(self) -> None:
        self._pool.close()

    def _ask(self, request: httpx2.Request) -> httpx2.Response:
        headers = [(name, request.headers[name]) for name in SENT_HEADERS if name in request.headers]
        # A few packed bytes may become any number of unpacked ones.
        headers.append(("accept-encoding", "identity"))
        if self._key:
            headers.append(("authorization", f"Bearer {self._key}"))
        with self._pool.stream(
            request.method,
            str(request.url),
            headers=headers,
            content=request.read(),
            extensions=request.extensions,
        ) as response:
            received = httpx2.Headers(response.headers)
            if received.get("content-encoding", "identity") != "identity":
                raise RefusedRequestError("the answer is packed (Content-Encoding), which was not asked for")
            body = bytearray()
            for part in response.iter_stream():
                body += part
                if len(body) > self._max_bytes:
                    raise RefusedRequestError(f"the answer is longer than {self._max_bytes:,} bytes")
            return httpx2.Response(response.status, headers=received, content=bytes(body))


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
