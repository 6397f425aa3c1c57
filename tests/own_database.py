"""A database of its own for what makes many tenants, so that no running worker takes their tasks."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management import call_command
from django.db import ProgrammingError, connection
from django_tenants.utils import quote_schema_name
from psycopg.errors import InsufficientPrivilege

from tenants.postgresql.role_names import get_group_name

REFUSED = """\
This works in a database of its own, and the user of DATABASE_URL may not make one: {error}
Leave DATABASE_URL empty for the embedded server, or name a user who may create databases and extensions."""


@contextmanager
def own_database(label: str) -> Iterator[str]:
    """Make a database on DATABASE_URL's server the default one; yield its name.

    It has the shared tables and no tenant. At the end, whatever happens in between, it is dropped with the
    roles of the tenants that were made in it.
    Raises SystemExit, with a message, where the user may not make it.
    """
    before, name = connection.settings_dict["NAME"], f"{label}_{os.getpid()}"
    with _exit_if_refused():
        _execute(f'CREATE DATABASE "{name}"')
    _switch(name)
    audit = logging.getLogger("audit")
    level = audit.level
    audit.setLevel(logging.WARNING)  # figures are wanted, not a line for each tenant
    try:
        with _exit_if_refused():
            call_command("migrate_schemas", shared=True, verbosity=0)
        yield name
    finally:
        audit.setLevel(level)
        _switch(before)
        _execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        _drop_roles(get_group_name(name))


@contextmanager
def _exit_if_refused() -> Iterator[None]:
    try:
        yield
    except ProgrammingError as error:
        if not isinstance(error.__cause__, InsufficientPrivilege):
            raise
        sys.exit(REFUSED.format(error=str(error).strip()))


def _switch(name: str) -> None:
    connection.close()
    connection.settings_dict["NAME"] = name


def _drop_roles(group: str) -> None:
    """Roles belong to the server; with the database their rights are gone, and nothing holds them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolname FROM pg_roles WHERE rolname = %s OR starts_with(rolname, %s)",
            [group, f"{group}_"],
        )
        for (role,) in cursor.fetchall():
            cursor.execute(f"DROP ROLE {quote_schema_name(role)}")
    connection.close()


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()
