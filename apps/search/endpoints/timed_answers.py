"""The body of an answer ends in time. A client's timeout alone begins anew with every byte.

Imported with the first request, for httpx2 is heavy.
"""

import time
from collections.abc import Iterator
from typing import Any

import httpx2


def limit_body(response: httpx2.Response) -> None:
    """Let the body be read for no longer than the request's timeout; an event hook of an httpx2 client."""
    seconds = response.request.extensions["timeout"]["read"]
    response.stream = _TimedStream(response.stream, seconds)


class _TimedStream(httpx2.SyncByteStream):
    def __init__(self, stream: Any, seconds: float) -> None:
        self._stream, self._seconds = stream, seconds

    def __iter__(self) -> Iterator[bytes]:
        until = time.monotonic() + self._seconds
        for part in self._stream:
            yield part
            if time.monotonic() > until:
                raise httpx2.ReadTimeout("the request's time is up")

    def close(self) -> None:
        self._stream.close()
