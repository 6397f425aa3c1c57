"""Lets tenants share the sessions of psycopg's pool: a session keeps nothing of one user for the next.

Django gives a connection back to the pool at the end of a request, and the pool hands it on as it is: with
its search_path and role, and whatever else belongs to a session, such as temporary tables, settings, advisory
locks and cursors that outlive their transaction.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections


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

    def reset(session: psycopg.Connection) -> None:
        if first := given.get("reset"):
            first(session)
        reset_session(session)

    return given | {"reset": reset}


class _Switch:
    """How many blocks want no pool. Threads share the number, and so do processes forked meanwhile."""

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


@contextmanager
def open_pool(**options: Any) -> Iterator[Any]:
    """Yield a closed connection with a pool of its own, which has one session by default."""
    pooled: Any = connections[DEFAULT_DB_ALIAS].copy()
    pooled._connection_pools = {}  # beside those of the class, where the process's own may be
    pooled.settings_dict["CONN_MAX_AGE"] = 0
    pooled.settings_dict["OPTIONS"]["pool"] = {"min_size": 1, "max_size": 1, "num_workers": 1} | options
    try:
        yield pooled
    finally:
        pooled.close()
        pooled.close_pool()
