"""Locks that PostgreSQL gives back when their holder is gone."""

from collections.abc import Iterator
from contextlib import contextmanager
from zlib import crc32

from tenants.context import connection


@contextmanager
def session_lock(space: int, name: str) -> Iterator[None]:
    """Wait for the lock `name` of a two-key space; hold it for the block, whatever transactions do.

    It has a session of its own: migrating closes the connection, and a lock goes with its session.
    """
    key = crc32(name.encode()) - 2**31
    session = connection.copy()
    try:
        with session.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s, %s)", [space, key])
        yield
    finally:
        session.close()
