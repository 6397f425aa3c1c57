"""Attacks by the ORM and by raw SQL."""

from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.db import Error, transaction
from django.db.models import QuerySet
from django_tasks_db.models import DBTaskResult
from psycopg import sql

from apps.operations.isolation.party import Party, plant_session, plant_user
from apps.operations.isolation.tasks import plant_task
from tenants.context import connection, owner_rights
from tenants.locks import Lock, get_key
from tenants.postgresql.role_names import are_roles_used
from tenants.queue.rows import ARGUMENTS

COUNTS = (
    "SELECT n_live_tup FROM pg_stat_all_tables WHERE relid = {table}",
    "SELECT reltuples FROM pg_class WHERE oid = {table}",
    "SELECT pg_total_relation_size({table})",
)
TABLE = """(
    SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
    WHERE nspname = %s AND relname = %s
)"""
LEAVE = sql.SQL("CREATE TEMPORARY TABLE IF NOT EXISTS {name} (); SET isolation.canary = {token}")
LEFT = """
    SELECT coalesce(current_setting('isolation.canary', true) = %(token)s, false)
    OR EXISTS (SELECT FROM pg_class WHERE relname = %(name)s AND relnamespace = pg_my_temp_schema())
"""


def holds(table: str, column: str, value: str, schema: str = "") -> bool:
    """Return whether raw SQL finds a value in a column, in the named schema or in that of the search_path."""
    name = sql.Identifier(schema, table) if schema else sql.Identifier(table)
    statement = sql.SQL("SELECT 1 FROM {} WHERE {}::text LIKE %s").format(name, sql.Identifier(column))
    with connection.cursor() as cursor:
        cursor.execute(statement, [f"%{value}%"])
        return cursor.fetchone() is not None


def is_guarded(attacker: Party) -> bool:
    """Return whether a database role restricts the attacker; operators have none."""
    return are_roles_used() and attacker.tenant is not None


def find_user(email: str) -> bool:
    """Return whether the bound tenant has a user with this address."""
    return get_user_model()._default_manager.filter(email=email).exists()


def read_users(victim: Party, attacker: Party) -> bool:
    """ORM: the victim's user."""
    return find_user(victim.of(plant_user).email)


def read_sessions(victim: Party, attacker: Party) -> bool:
    """ORM: the victim's session."""
    return Session.objects.filter(pk=victim.of(plant_session)).exists()


def read_users_by_sql(victim: Party, attacker: Party) -> bool:
    """Raw SQL that names no schema."""
    return holds(get_user_model()._meta.db_table, "email", victim.of(plant_user).email)


def read_users_by_named_schema(victim: Party, attacker: Party) -> bool | None:
    """Raw SQL that names the victim's schema; only a role stops it."""
    table = get_user_model()._meta.db_table
    email = victim.of(plant_user).email
    return holds(table, "email", email, victim.schema_name) if is_guarded(attacker) else None


def read_registry(victim: Party, attacker: Party) -> bool | None:
    """Raw SQL on the list of tenants."""
    if not is_guarded(attacker):
        return None
    with _rights_of(victim, attacker):
        return holds("tenants_tenant", "schema_name", victim.schema_name, "public")


def read_queue(victim: Party, attacker: Party) -> bool | None:
    """Raw SQL on the tasks of all tenants."""
    victim.of(plant_task)
    if not is_guarded(attacker):
        return None
    with _rights_of(victim, attacker):
        return holds(DBTaskResult._meta.db_table, ARGUMENTS, victim.token, "public")


def read_row_counts(victim: Party, attacker: Party) -> bool | None:
    """Statistics that tell how many users the victim has."""
    if not is_guarded(attacker):
        return None
    table = get_user_model()._meta.db_table
    with _rights_of(victim, attacker):
        return any(_answers(statement.format(table=TABLE), victim.schema_name, table) for statement in COUNTS)


def take_lock_of_victim(victim: Party, attacker: Party) -> bool | None:
    """The advisory lock without which nothing is written in the victim."""
    if not is_guarded(attacker):
        return None
    with _rights_of(victim, attacker):
        key = get_key(victim.schema_name)
        return _answers("SELECT pg_try_advisory_xact_lock(%s, %s)", Lock.SPACES, key)


def use_session_of_victim(victim: Party, attacker: Party) -> bool:
    """What the victim leaves in the session: a setting, and a temporary table."""
    name, token = sql.Identifier(victim.word), sql.Literal(victim.token)
    with victim.bound(), connection.cursor() as cursor:
        cursor.execute(LEAVE.format(name=name, token=token))
    if attacker.tenant is None:
        connection.end_use()  # as after a request; a tenant's own code looks into `public`, too
    with attacker.bound(), connection.cursor() as cursor:
        cursor.execute(LEFT, {"token": victim.token, "name": victim.word})
        return bool(cursor.fetchone()[0])


def evaluate_carried_queryset(victim: Party, attacker: Party) -> bool:
    """A lazy queryset that was built in the victim."""
    return victim.of(_build_queryset).exists()


def refresh_carried_object(victim: Party, attacker: Party) -> bool:
    """An object that was loaded in the victim, read again."""
    victim.of(plant_user).refresh_from_db()
    return True


def save_carried_object(victim: Party, attacker: Party) -> bool:
    """An object that was loaded in the victim, saved."""
    victim.of(plant_user).save()
    return True


def _rights_of(victim: Party, attacker: Party) -> AbstractContextManager[None]:
    # No tenant may read these tables; the owner does it for the victim, to show that there is something.
    return owner_rights() if victim is attacker else nullcontext()


def _answers(statement: str, *values: Any) -> bool:
    with suppress(Error), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)
        row = cursor.fetchone()
        return bool(row) and row[0] is not None
    return False


def _build_queryset(party: Party) -> QuerySet[Any]:
    return get_user_model()._default_manager.filter(email=party.of(plant_user).email)


ATTACKS = [
    read_users,
    read_sessions,
    read_users_by_sql,
    read_users_by_named_schema,
    read_registry,
    read_queue,
    read_row_counts,
    take_lock_of_victim,
    use_session_of_victim,
    evaluate_carried_queryset,
    refresh_carried_object,
    save_carried_object,
]
