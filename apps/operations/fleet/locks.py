"""Advisory locks: one run at a time over the fleet, one change at a time to a tenant."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from zlib import crc32

FLEET = 0x7E4B  # the first keys of two-key advisory locks
MIGRATION = 0x7E4C


class BusyError(RuntimeError):
    """Somebody else holds the lock; the message says who and what to do."""


@contextmanager
def hold_fleet(connection: Any) -> Iterator[None]:
    """Hold the lock of the whole fleet in a session of its own, which ends with the process at the latest.

    Raises BusyError when another run holds it.
    """
    session = connection.copy()
    try:
        if not _take(session, FLEET, 0):
            raise BusyError(
                "Another migrate_schemas is at work on this database. Wait for it to end; "
                "running this again then does what it left."
            )
        yield
    finally:
        session.close()


@contextmanager
def hold_tenant(connection: Any, schema: str, *spaces: int) -> Iterator[None]:
    """Hold a tenant's locks of these spaces in the connection's own session.

    Raises BusyError when another session holds one of them.
    """
    key = crc32(schema.encode()) - 2**31
    held = []
    try:
        for space in spaces:
            if not _take(connection, space, key):
                raise BusyError(
                    f"The tenant {schema!r} is being created, deleted or migrated by another process. "
                    "Run this again afterwards."
                )
            held.append(space)
        yield
    finally:
        for space in held:
            _give_back(connection, space, key)


def _take(connection: Any, space: int, key: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [space, key])
        return bool(cursor.fetchone()[0])


def _give_back(connection: Any, space: int, key: int) -> None:
    if connection.connection is None or not connection.is_usable():
        return  # the lock went with its session
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [space, key])
