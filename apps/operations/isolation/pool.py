"""Attacks through a pool: what one tenant leaves in a session, the next one that gets it looks for."""

from psycopg import sql

from apps.operations.isolation.party import Party
from tenants.locks import Lock, take
from tenants.postgresql.pool import open_pool

LEAVE = sql.SQL("CREATE TEMPORARY TABLE {name} (); SET isolation.canary = {token}")
FIND = """
    SELECT current_user <> session_user OR %(schema)s = ANY(current_schemas(false))
    OR current_setting('isolation.canary', true) = %(token)s
    OR EXISTS (SELECT FROM pg_class WHERE relname = %(name)s AND relpersistence = 't')
    OR EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())
"""
WHERE = "SELECT %s = ANY(current_schemas(false))"


def read_returned_session(victim: Party, attacker: Party) -> bool:
    """What the victim left in a session, by a raw cursor: path, role, setting, temporary table, lock."""
    with open_pool() as pooled:
        with victim.bound(), pooled.cursor() as cursor:
            cursor.execute(LEAVE.format(name=sql.Identifier(victim.word), token=sql.Literal(victim.token)))
            take(Lock.ISOLATION, victim.token, session=pooled)
        if victim is not attacker:
            pooled.close()
            pooled.ensure_connection()
        values = {"schema": victim.schema_name, "token": victim.token, "name": victim.word}
        return bool(pooled.connection.execute(FIND, values).fetchone()[0])


def query_returned_session(victim: Party, attacker: Party) -> bool:
    """A session that the victim gave back, used by the attacker as any other."""
    with open_pool() as pooled:
        for party in (victim, attacker):
            with party.bound(), pooled.cursor() as cursor:
                cursor.execute(WHERE, [victim.schema_name])
                found = cursor.fetchone()[0]
            pooled.close()
        return bool(found)


ATTACKS = [read_returned_session, query_returned_session]
