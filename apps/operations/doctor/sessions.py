"""Checks that every client keeps a session of its own, which search_path and role need."""

from collections.abc import Iterable
from contextlib import closing
from typing import Any

from apps.operations.doctor.finding import Finding, Level, Scope
from tenants.context import connection

ROUNDS = 5


def check(scope: Scope) -> Iterable[Finding]:
    """Yield that there is a pooler; an error if it deals out sessions by transaction or statement.

    Two clients send statements in turns, each outside a transaction. With a session of its own, each sees one
    process of the server and never the other's. Such a pooler usually gives both the same one, or different
    ones each time (PgBouncer's manual, "pool_mode" and "server_round_robin"). One that happens to keep them
    apart for a moment goes undetected.
    """
    if not scope.is_whole:
        return
    with closing(connection.copy()) as one, closing(connection.copy()) as other:
        seen: tuple[set[int], set[int]] = set(), set()
        for _ in range(ROUNDS):
            seen[0].add(_get_pid(one))
            seen[1].add(_get_pid(other))
        promised = {session.connection.info.backend_pid for session in (one, other)}
    if any(len(pids) > 1 for pids in seen) or seen[0] & seen[1]:
        message = (
            "A pooler deals out sessions by transaction or statement: a client gets the search_path of "
            "another one, and so another tenant's data."
        )
        fix = "pgbouncer.ini: pool_mode = session; or let DATABASE_URL lead to PostgreSQL itself."
        yield Finding(Level.ERROR, "database", message, fix)
    elif promised != seen[0] | seen[1]:
        message = "A pooler stands before the database; it seems to keep a session for each client."
        yield Finding(Level.INFO, "database", message, "Make sure, in its console: SHOW CONFIG; (pool_mode)")


def _get_pid(session: Any) -> int:
    with session.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])
