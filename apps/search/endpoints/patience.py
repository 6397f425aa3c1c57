"""How long to wait for an embedder: a person in front of a page waits less than a worker."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

HURRIED_TIMEOUT = 5.0  # seconds; after them, a search by words answers

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
