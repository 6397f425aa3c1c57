"""Locks that PostgreSQL gives back when their holder is gone."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from zlib import crc32

from django.db import Error

from tenants.context import connection

LIFE_CYCLE = 0x7E4A  # the first key of the locks of whoever creates, migrates or deletes a tenant

HELD = """
    SELECT objid::bigint FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 2 AND granted AND classid = %s
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@contextmanager
def session_lock(space: int, name: str) -> Iterator[None]:
    """Wait for the lock `name` of a two-key space; hold it for the block, whatever transactions do.

    It has a session of its own: migrating closes the connection, and a lock goes with its session.
    """
    key = get_lock_key(name)
    session = connection.copy()
    try:
        with session.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s, %s)", [space, key])
        yield
    finally:
        # The server notices the end of a session a moment later; if it has ended, the lock went with it.
        with suppress(Error), session.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [space, key])
        session.close()


def hold_life_cycle(schema: str) -> AbstractContextManager[None]:
    """Wait for the lock that whoever creates, migrates or deletes this tenant holds, and hold it."""
    return session_lock(LIFE_CYCLE, schema)


def get_lock_key(name: str) -> int:
    """Return the second key of a two-key lock: PostgreSQL's are signed and have 32 bits."""
    return crc32(name.encode()) - 2**31


def find_held(space: int, names: Iterable[str]) -> set[str]:
    """Return those of the names whose lock some session holds right now."""
    held = _list_held(space)
    return {name for name in names if get_lock_key(name) % 2**32 in held}


def count_held(space: int) -> int:
    """Return how many locks of a two-key space are held right now."""
    return len(_list_held(space))


def _list_held(space: int) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(HELD, [space])
        return {key for (key,) in cursor.fetchall()}
