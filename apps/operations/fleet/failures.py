"""What the report says of a failure: enough to find its cause, and nothing of the tenant's data."""

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

    The place is a line of a migration's file, when the error comes from there.
    """
    migration = current_migration.get()
    where = f"{migration.app_label}.{migration.name}: " if migration else ""
    return f"{where}{type(error).__name__}{_get_code(error)}{_get_message(error)}{_get_place(error)}"


def is_transient(error: BaseException) -> bool:
    """Return whether a lock was not to be had, so that trying again may succeed.

    Never so for a migration without a transaction: what it did before is still there.
    """
    migration = current_migration.get()
    is_atomic = migration is None or migration.atomic
    return is_atomic and isinstance(error.__cause__, TRANSIENT)


def _get_code(error: BaseException) -> str:
    code = getattr(error.__cause__, "sqlstate", None)
    return f" ({code})" if code else ""


def _get_message(error: BaseException) -> str:
    cause = error.__cause__
    if isinstance(cause, psycopg.Error) and cause.sqlstate:
        is_safe = cause.sqlstate[:2] in NAMELESS_CLASSES
        return f": {cause.diag.message_primary}" if is_safe else ""
    if isinstance(error, SAFE_ERRORS):
        return f": {' '.join(str(error).split())}"
    return ""


def _get_place(error: BaseException) -> str:
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).parent.name == "migrations"
    ]
    own = [frame for frame in frames if "site-packages" not in Path(frame.filename).parts]
    if not own:
        return ""
    path = Path(own[-1].filename)
    return f" at {path.parent.parent.name}/migrations/{path.name}:{own[-1].lineno}"
