"""Connections to judged addresses, which end when the request's time is up."""

import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import httpcore2

from apps.search_own_spaces.addresses import RefusedAddressError, is_public, resolve

WRITE_SIZE = 16_384  # bytes after which the time is looked at again

# When this thread's request must be done. A timeout alone begins anew with every byte.
_deadline: ContextVar[float] = ContextVar("deadline")


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Let connections that are opened, read or written in the block raise a timeout after so many seconds."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


class GuardedBackend(httpcore2.NetworkBackend):
    """Opens connections to the addresses that `resolve` lets pass, and to no name.

    Without encryption it asks private addresses only, where those are allowed at all: a key must not cross
    the internet in the clear.
    """

    def __init__(self, *, is_encrypted: bool) -> None:
        self._is_encrypted = is_encrypted
        self._sockets = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """Return a stream to the first address that answers.

        Raises RefusedAddressError if any address may not be asked, httpcore2.ConnectError and ConnectTimeout.
        """
        try:
            addresses = resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(f"the name {host} has no address that may be asked") from error
        if not self._is_encrypted and any(map(is_public, addresses)):
            raise RefusedAddressError(f"{host} is in the internet: give its address as https://")
        failure: httpcore2.ConnectError | httpcore2.ConnectTimeout | None = None
        for number, address in enumerate(addresses):
            # Those not tried yet share what time is left, so that one that is silent does not use up all.
            share = _left(timeout) / (len(addresses) - number)
            try:
                stream = self._sockets.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
            else:
                return BoundedStream(stream)
        raise failure or httpcore2.ConnectError(f"{host} has no address")


class BoundedStream(httpcore2.NetworkStream):
    """A connection that reads and writes until the time limit of the request at hand."""

    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what has come, "" at the end. Raises httpcore2.ReadTimeout."""
        return self._stream.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of it. Raises httpcore2.WriteTimeout."""
        for start in range(0, len(buffer), WRITE_SIZE):
            self._stream.write(buffer[start : start + WRITE_SIZE], _left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        """Return the same connection, encrypted; the certificate must be that of the host's name."""
        return BoundedStream(self._stream.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        """Return what httpcore2 asks of the socket."""
        return self._stream.get_extra_info(info)


def _left(timeout: float | None) -> float:
    left = _deadline.get() - time.monotonic()
    if left <= 0:
        raise httpcore2.ReadTimeout("the request's time is up")
    return left if timeout is None else min(timeout, left)
