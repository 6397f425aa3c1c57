"""Runs the checks of all apps, and mends what they found.

An app brings its checks in a module `doctor.py`:

    def check_orders(scope: Scope) -> Iterable[Finding]: ...

    CHECKS = [check_orders]

They run in the order of INSTALLED_APPS, and findings are mended in it. See `apps.operations.doctor.finding`.
"""

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from functools import cache
from typing import NamedTuple

from django.core.management import CommandError
from django.db import transaction
from django_tenants.utils import get_public_schema_name

from apps.operations.doctor import disk
from apps.operations.doctor.finding import Finding, Level, Scope
from tenants.context import connection
from tenants.discovery import ExtensionPoint, list_attribute
from tenants.management.tenants import find_next_step
from tenants.models import Tenant
from tenants.validators import is_schema_name

POINT = ExtensionPoint("doctor", list_attribute("CHECKS", "functions", callable))
REGISTRY_EXISTS = "SELECT to_regclass('public.tenants_tenant') IS NOT NULL"


type Check = Callable[[Scope], Iterable[Finding]]


class Outcome(NamedTuple):
    """Whether mending worked; the remark says why not, or what is still to come."""

    is_mended: bool
    remark: str


def examine(schema: str | None = None) -> list[Finding]:
    """Return what is wrong with the installation, or with one tenant alone.

    Raises CommandError for a schema without a tenant, and OperationalError when the database does not answer.
    """
    with connection.cursor() as cursor:
        cursor.execute(REGISTRY_EXISTS)
        (has_registry,) = cursor.fetchone()
    if not has_registry:
        message = "The database has no registry of tenants."
        return [Finding(Level.ERROR, "database", message, "manage.py migrate_schemas")]
    scope = _get_scope(schema)
    checks: list[Check] = [check for _, module in POINT.load() for check in module.CHECKS]
    return [finding for check in (*checks, disk.check) for finding in _run(check, scope)]


def mend(findings: Iterable[Finding]) -> dict[Finding, Outcome]:
    """Mend what can be mended safely; return the outcome of each such finding. Shared cures run once."""
    mend_once = cache(_mend)
    return {finding: mend_once(finding.mend) for finding in findings if finding.mend}


def _get_scope(schema: str | None) -> Scope:
    rows = Tenant.objects.exclude(schema_name=get_public_schema_name()).order_by("schema_name")
    tenants = [tenant for tenant in rows if is_schema_name(tenant.schema_name)]
    if schema is None:
        misnamed = [tenant for tenant in rows if not is_schema_name(tenant.schema_name)]
        return Scope(tenants, is_whole=True, misnamed=misnamed)
    chosen = [tenant for tenant in tenants if tenant.schema_name == schema]
    if not chosen:
        raise CommandError(f"--schema: no tenant has the schema {schema!r}. {find_next_step(schema)}")
    return Scope(chosen, is_whole=False)


def _run(check: Check, scope: Scope) -> list[Finding]:
    try:
        with _savepoint():
            return list(check(scope))
    except CommandError as error:  # migration files in conflict
        return [Finding(Level.ERROR, "migrations", str(error), "manage.py makemigrations --merge")]
    except Exception as error:  # a check that fails stops no other
        # Without its text, which may quote a row.
        message = f"{check.__module__}.{check.__name__} could not be run: {type(error).__name__}."
        return [Finding(Level.ERROR, "database", message, "manage.py doctor --traceback")]


def _mend(action: Callable[[], object]) -> Outcome:
    try:
        with _savepoint():
            remark = action()
    except Exception as error:
        return Outcome(False, f"{type(error).__name__}: {error}".partition("\n")[0])
    return Outcome(True, remark if isinstance(remark, str) else "")


def _savepoint() -> transaction.Atomic | nullcontext[None]:
    """Keep a failure from spoiling the caller's transaction, if there is one."""
    return transaction.atomic() if connection.in_atomic_block else nullcontext()
