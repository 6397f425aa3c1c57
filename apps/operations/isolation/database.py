"""Attacks by the ORM and by raw SQL."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.db.models import QuerySet
from django_tasks_db.models import DBTaskResult
from psycopg import sql

from apps.operations.isolation.party import Party, plant_session, plant_user
from apps.operations.isolation.tasks import plant_task
from tenants.context import connection, owner_rights
from tenants.postgresql.role_names import are_roles_used
from tenants.queue.rows import ARGUMENTS


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


def _build_queryset(party: Party) -> QuerySet[Any]:
    return get_user_model()._default_manager.filter(email=party.of(plant_user).email)


ATTACKS = [
    read_users,
    read_sessions,
    read_users_by_sql,
    read_users_by_named_schema,
    read_registry,
    read_queue,
    evaluate_carried_queryset,
    refresh_carried_object,
    save_carried_object,
]
