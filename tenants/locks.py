"""All advisory locks, which PostgreSQL gives back when their holder is gone; and what to do about deadlocks.

A lock has two keys: what it is for, and the name of what it is held for, such as a schema (PostgreSQL's
manual, "Advisory Locks"). No other module takes one, so no two features share a lock by accident.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from enum import IntEnum, unique
from functools import wraps
from typing import Any
from zlib import crc32

from django.db import Error, OperationalError
from psycopg.errors import DeadlockDetected

from tenants.context import connection, owner_rights


@unique
class Lock(IntEnum):
    """What a lock is for; the value is its first key. Beside it: whose name is the second one."""

    LIFE_CYCLE = 0x7E4A  # creating, migrating or deleting a tenant: its schema
    FLEET = 0x7E4B  # migrating all tenants: no name
    MIGRATION = 0x7E4C  # migrating a tenant: its schema
    SCRATCH = 0x7E4D  # comparing a bundle with a new schema: that schema
    TEMPLATE = 0x7E4E  # making the template of the tenants' schema: that schema
    ROLES = 0x7201  # creating roles: no name
    WORKER = 0x7A5C  # running tasks: the worker's id
    SPACES = 0x5ACE  # writing documents (shared) or changing a tenant's spaces: its schema
    ANN_INDEX = 0x1DE8  # building or dropping an ANN index: its schema and its name
    FIRST_ROWS = (
        0x1F57  # writing into an empty index: its schema, table, space and name; shared, but for bulk
    )
    ISOLATION = 0x1501  # leaving a trace in a session: a token


ATTEMPTS = 5  # of what a deadlock ended
HELD = """
    SELECT objid::bigint FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 2 AND granted AND classid = %s
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND NOT (%s AND pid = pg_backend_pid())
"""


def take(
    lock: Lock,
    name: str = "",
    *,
    session: Any = connection,
    wait: bool = True,
    shared: bool = False,
    until_commit: bool = False,
) -> bool:
    """Take a lock in a session, which holds it until `give_back`, or until its transaction ends.

    Waits for other holders, or returns at once whether it has the lock. Any number may hold a `shared` lock.
    """
    # No tenant's own role may take locks: it could keep others from their work.
    kind = f"advisory_{'xact_' if until_commit else ''}lock{'_shared' if shared else ''}"
    with owner_rights(), session.cursor() as cursor:
        cursor.execute(f"SELECT pg_{'' if wait else 'try_'}{kind}(%s, %s)", [lock, get_key(name)])
        return wait or bool(cursor.fetchone()[0])


def give_back(lock: Lock, name: str = "", *, session: Any = connection) -> None:
    """Give a lock back that the session holds. A session that has ended holds none any more."""
    if session.connection is None:
        return
    # The session may have been lost, and the lock with it.
    with suppress(Error), owner_rights(), session.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [lock, get_key(name)])


@contextmanager
def session_lock(lock: Lock, name: str = "") -> Iterator[None]:
    """Wait for a lock and hold it for the block, whatever transactions do.

    It has a session of its own: migrating closes the connection, and a lock goes with its session.
    """
    session = connection.copy()
    try:
        take(lock, name, session=session)
        yield
    finally:
        give_back(lock, name, session=session)
        session.close()


def hold_life_cycle(schema: str) -> AbstractContextManager[None]:
    """Wait until nobody else creates, migrates or deletes this tenant; keep others from it for the block."""
    return session_lock(Lock.LIFE_CYCLE, schema)


def find_held(lock: Lock, names: Iterable[str], *, by_others: bool = False) -> set[str]:
    """Return those of the names whose lock some session, or only some other session, holds right now."""
    held = _list_held(lock, by_others=by_others)
    return {name for name in names if get_key(name) % 2**32 in held}


def count_held(lock: Lock) -> int:
    """Return how many locks of this kind are held right now."""
    return len(_list_held(lock))


def get_key(name: str) -> int:
    """Return the second key of a lock, a signed number of 32 bits; 0 where there is no name."""
    return crc32(name.encode()) - 2**31 if name else 0


def _list_held(lock: Lock, *, by_others: bool = False) -> set[int]:
    with owner_rights(), connection.cursor() as cursor:
        cursor.execute(HELD, [lock, by_others])
        return {key for (key,) in cursor.fetchall()}


def retry_deadlocks[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Make a function run again when PostgreSQL ends its transaction because of a deadlock.

    Within a transaction of the caller's the error is raised: that transaction would have to begin anew.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        for _ in range(ATTEMPTS - 1):
            try:
                return function(*args, **kwargs)
            except OperationalError as error:
                if connection.in_atomic_block or not isinstance(error.__cause__, DeadlockDetected):
                    raise
        return function(*args, **kwargs)

    return call
