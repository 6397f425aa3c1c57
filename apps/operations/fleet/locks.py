"""Locks that fail at once when they are busy: one run over the fleet, one change of a tenant at a time."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

from tenants.locks import Lock, give_back, take


class BusyError(RuntimeError):
    """Another process holds the lock; the message says which and what to do."""


@contextmanager
def hold_fleet(connection: Any) -> Iterator[None]:
    """Hold the lock of the whole fleet in a session of its own, which ends with the process at the latest.

    Raises BusyError when another run holds it.
    """
    with closing(connection.copy()) as session:
        if not take(Lock.FLEET, session=session, wait=False):
            raise BusyError(
                "Another migrate_schemas is at work on this database. Wait for it to end; "
                "running this again then does what it left."
            )
        try:
            yield
        finally:  # at once: the server takes a while to notice that a session has ended
            give_back(Lock.FLEET, session=session)


@contextmanager
def hold_tenant(connection: Any, schema: str, *locks: Lock) -> Iterator[None]:
    """Hold a tenant's locks of these kinds in the connection's own session.

    Raises BusyError when another session holds one of them.
    """
    with ExitStack() as held:
        for lock in locks:
            if not take(lock, schema, session=connection, wait=False):
                raise BusyError(
                    f"The tenant {schema!r} is being created, deleted or migrated by another process. "
                    "Run this again afterwards."
                )
            held.callback(give_back, lock, schema, session=connection)
        yield
