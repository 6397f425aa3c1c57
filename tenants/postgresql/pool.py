"""What it takes to share sessions by psycopg's pool: nothing of one user is left for the next one.

Django gives a connection back to the pool at the end of a request, and the pool hands it on as it is. With it
would go search_path and role, and whatever else belongs to a session: temporary tables, settings, advisory
locks, cursors that outlive their transaction.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import Any

import psycopg

Reset = Callable[[psycopg.Connection], None]


def reset_session(session: psycopg.Connection) -> None:
    """Bring a session into the state of a new one; psycopg's pool closes it if this fails.

    DISCARD ALL resets search_path, role and all other settings, drops temporary tables and gives back
    advisory locks (PostgreSQL's manual, "DISCARD"). It is refused in a transaction block, and psycopg opens
    one where autocommit is off.
    """
    session.autocommit = True
    session.execute("DISCARD ALL")


def with_reset(options: bool | Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a pool that resets each session; a `reset` among the given ones runs first."""
    given: dict[str, Any] = {} if options is True else dict(options or {})
    return given | {"reset": _join(given.get("reset"))}


def _join(own: Reset | None) -> Reset:
    if own is None:
        return reset_session

    def reset(session: psycopg.Connection) -> None:
        own(session)
        reset_session(session)

    return reset


class _Switch:
    """How many blocks want no pool; threads share it, and so do processes that are forked meanwhile."""

    lock = Lock()
    users = 0


@contextmanager
def without_pool() -> Iterator[None]:
    """Run a block in which this process opens connections of its own, in all threads.

    For commands that work in several threads or processes: a pool for requests is too small for them, and
    psycopg's pool does not survive a fork.
    """
    with _Switch.lock:
        _Switch.users += 1
    try:
        yield
    finally:
        with _Switch.lock:
            _Switch.users -= 1


def is_pool_off() -> bool:
    """Return whether some block runs `without_pool`."""
    return _Switch.users > 0


def is_from_pool(session: Any) -> bool:
    """Return whether psycopg's connection came from a pool and is not given back yet."""
    return getattr(session, "_pool", None) is not None
