"""Runs the checks of settings.DOCTOR_CHECKS, and mends what they found."""

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import NamedTuple

from django.conf import settings
from django.core.management import CommandError
from django.db import Error, transaction
from django.utils.module_loading import import_string
from django_tenants.utils import get_public_schema_name

from apps.operations.doctor.finding import Finding, Level, Scope
from tenants.context import connection
from tenants.models import Tenant

REGISTRY_EXISTS = "SELECT to_regclass('public.tenants_tenant') IS NOT NULL"


class Outcome(NamedTuple):
    """What became of mending: whether it worked, and why not or what is still to come, "" if nothing."""

    is_mended: bool
    remark: str


def examine(schema: str | None = None) -> list[Finding]:
    """Return what is wrong with the installation, or with one tenant alone.

    Raises CommandError for a schema that no tenant has, and OperationalError when the database does not
    answer.
    """
    if not _has_registry():
        message = "The database has no registry of tenants."
        return [Finding(Level.ERROR, "database", message, "manage.py migrate_schemas")]
    scope = _get_scope(schema)
    return [finding for path in settings.DOCTOR_CHECKS for finding in _run(path, scope)]


def mend(findings: Iterable[Finding]) -> dict[Finding, Outcome]:
    """Mend what can be mended safely; return what became of each such finding."""
    outcomes: dict[Finding, Outcome] = {}
    done: dict[Callable[[], object], Outcome] = {}
    for finding in findings:
        if finding.mend is not None:
            if finding.mend not in done:
                done[finding.mend] = _mend(finding.mend)
            outcomes[finding] = done[finding.mend]
    return outcomes


def _has_registry() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(REGISTRY_EXISTS)
        return bool(cursor.fetchone()[0])


def _get_scope(schema: str | None) -> Scope:
    tenants = Tenant.objects.exclude(schema_name=get_public_schema_name()).order_by("schema_name")
    if schema is None:
        return Scope(list(tenants), is_whole=True)
    chosen = list(tenants.filter(schema_name=schema))
    if not chosen:
        raise CommandError(f"--schema: no tenant has the schema {schema!r}.")
    return Scope(chosen, is_whole=False)


def _run(path: str, scope: Scope) -> list[Finding]:
    check = import_string(path)
    try:
        with _savepoint():
            return list(check(scope))
    except CommandError as error:  # migration files in conflict
        return [Finding(Level.ERROR, "migrations", str(error), "manage.py makemigrations --merge")]
    except Error as error:
        # Without its text, which may quote a row.
        message = f"{path} could not be carried out: {type(error).__name__}."
        return [Finding(Level.ERROR, "database", message, "manage.py doctor --traceback")]


def _mend(action: Callable[[], object]) -> Outcome:
    try:
        with _savepoint():
            remark = action()
    except Error as error:
        return Outcome(False, f"{type(error).__name__}: {error}".partition("\n")[0])
    return Outcome(True, remark if isinstance(remark, str) else "")


def _savepoint() -> transaction.Atomic | nullcontext[None]:
    """In a caller's transaction a failure must not spoil the rest of it; otherwise there is none to spoil."""
    return transaction.atomic() if connection.in_atomic_block else nullcontext()
