"""Describes a failure: enough to find its cause, and nothing of the tenant's data."""

import traceback
from pathlib import Path

import psycopg
from django.core.exceptions import FieldError, ImproperlyConfigured
from django.core.management import CommandError
from django.db.migrations.exceptions import (
    BadMigrationError,
    InconsistentMigrationHistory,
    InvalidMigrationPlan,
    IrreversibleError,
    MigrationSchemaMissing,
    NodeNotFoundError,
)

from apps.operations.fleet.files import current_migration
from apps.operations.fleet.locks import BusyError

# Classes of SQLSTATEs (PostgreSQL manual, appendix A) whose primary message names objects and never values.
# Not among them: 22, "invalid input syntax for type integer: ..."; P0, the text of a RAISE.
NAMELESS_CLASSES = frozenset({"08", "0A", "23", "25", "2B", "40", "42", "53", "54", "55", "57"})
# Their messages are about apps, migrations, models and settings.
SAFE_ERRORS = (
    BadMigrationError,
    BusyError,
    CommandError,
    FieldError,
    ImproperlyConfigured,
    InconsistentMigrationHistory,
    InvalidMigrationPlan,
    IrreversibleError,
    MigrationSchemaMissing,
    NodeNotFoundError,
)
TRANSIENT = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)


def describe(error: BaseException) -> str:
    """Return one line: the migration, the kind of error, its message if it cannot hold data, and the place.

    The place is a line of a migration's file, if the error comes from there.
    """
    migration, cause = current_migration.get(), error.__cause__
    where = f"{migration.app_label}.{migration.name}: " if migration else ""
    code, message = getattr(cause, "sqlstate", None), ""
    if isinstance(cause, psycopg.Error) and code:
        message = f": {cause.diag.message_primary}" if code[:2] in NAMELESS_CLASSES else ""
    elif isinstance(error, SAFE_ERRORS):
        message = f": {' '.join(str(error).split())}"
    return f"{where}{type(error).__name__}{f' ({code})' if code else ''}{message}{_get_place(error)}"


def is_transient(error: BaseException) -> bool:
    """Return whether a lock was busy, so that trying again may succeed.

    A migration without a transaction is not tried again: what it did before is still there.
    """
    migration = current_migration.get()
    is_atomic = migration is None or migration.atomic
    return is_atomic and isinstance(error.__cause__, TRANSIENT)


def _get_place(error: BaseException) -> str:
    frames = [(Path(frame.filename), frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    for path, line in reversed(frames):
        if path.parent.name == "migrations" and "site-packages" not in path.parts:
            return f" at {path.parent.parent.name}/migrations/{path.name}:{line}"
    return ""
