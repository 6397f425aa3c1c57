"""How long to wait for an embedder: a person in front of a page waits less than a worker."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

HURRIED_TIMEOUT = 5.0  # seconds; after them, a search by words answers
PAUSE = 10.0  # seconds for which nobody in a hurry asks a service that just failed

_hurried: ContextVar[bool] = ContextVar("hurried", default=False)


@contextmanager
def in_a_hurry() -> Iterator[None]:
    """Ask services only once within the block, and wait only a few seconds.

    For searches that have another way to answer. A service that failed a moment ago is not asked at all, so a
    dead service does not hold up the server's threads.
    """
    token = _hurried.set(True)
    try:
        yield
    finally:
        _hurried.reset(token)


def is_hurried() -> bool:
    """Return whether the caller is in a hurry."""
    return _hurried.get()


class Pause:
    """Remembers, for all threads, that a service failed a moment ago."""

    def __init__(self) -> None:
        self._until = 0.0

    def begin(self) -> None:
        """The service failed just now."""
        self._until = time.monotonic() + PAUSE

    def end(self) -> None:
        """The service answers."""
        self._until = 0.0

    @property
    def seconds_left(self) -> float:
        """For how long the service is still left alone; 0 when it may be asked."""
        return max(0.0, self._until - time.monotonic())
