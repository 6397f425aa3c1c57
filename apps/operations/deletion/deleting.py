"""The deletion itself, and its proof.

It may be killed at any point and run again. One transaction writes the report and deletes the row with all
that the database holds. Files and caches come after that, and the proof is last. A report without a proof
belongs to a deletion that was cut short.
"""

from collections.abc import Callable, Iterable
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Q
from django.tasks import TaskResultStatus
from django.utils import timezone

from apps.operations.deletion import in_database, outside_database
from apps.operations.deletion.remains import Gone, Look, as_dicts, count_left
from tenants.audit import record
from tenants.context import unbound
from tenants.locks import hold_life_cycle
from tenants.models import DeletionReport, Tenant
from tenants.provisioning.erasing import erase_outside, erase_shared
from tenants.queue.rows import find_rows
from tenants.queue.worker import find_orphans

SERVED = (Tenant.State.ACTIVE, Tenant.State.SUSPENDED)
PLACES: list[Callable[[Gone], Iterable[Look]]] = [
    in_database.look_for_schema,
    in_database.look_for_rows,
    in_database.look_for_role,
    in_database.look_for_tasks,
    in_database.look_for_locks,
    in_database.look_for_sessions,
    outside_database.look_for_files,
    outside_database.look_for_cached,
    in_database.look_at_log,
    outside_database.look_elsewhere,
]


class BusyTenantError(RuntimeError):
    """A worker is running a task of the tenant, which could still write something."""


def delete_with_proof(tenant: Tenant) -> DeletionReport:
    """Delete the tenant at once and for ever; return the report, which stays in the registry.

    Raises BusyTenantError while a task of it is running; the tenant is closed then, and no other task begins.
    Raises ValidationError when somebody keeps it at this moment, and Tenant.DoesNotExist when somebody else
    has deleted it.
    """
    with unbound():
        with hold_life_cycle(tenant.schema_name):
            tenant.refresh_from_db()
            if tenant.provisioned_at is not None:
                leave(tenant, timezone.now())
            report = _delete_if_due(tenant)
        if report is None:
            raise ValidationError(f"{tenant} was kept meanwhile; nothing was deleted.")
        return prove(report)


def delete_due(tenant_pk: int) -> list[DeletionReport]:
    """Delete a tenant whose time of grace is over, or finish a deletion that was cut short.

    Returns the reports. Does nothing to a tenant that was kept or got a later date. Raises BusyTenantError as
    delete_with_proof does.
    """
    with unbound():
        tenant = Tenant.objects.filter(pk=tenant_pk).first()
        if tenant is None:
            unproved = DeletionReport.objects.filter(tenant_pk=tenant_pk, proved_at=None)
            return [finish_deletion(report) for report in unproved]
        with hold_life_cycle(tenant.schema_name):
            report = _delete_if_due(tenant)
        return [prove(report)] if report else []


def finish_deletion(report: DeletionReport) -> DeletionReport:
    """Erase whatever is left, and prove again.

    Raises ValidationError if a tenant has the schema's name, which is never given away a second time.
    """
    with unbound():
        with hold_life_cycle(report.schema_name):
            if Tenant.objects.filter(schema_name=report.schema_name).exists():
                raise ValidationError(f"Another tenant has the schema of {report}; nothing was deleted.")
            erase_shared(report.schema_name, report.tenant_pk)
            erase_outside(report.schema_name)
        return prove(report)


def prove(report: DeletionReport) -> DeletionReport:
    """Look at all places and write the findings into the report."""
    report.looks = as_dicts(prove_deletion(report.schema_name, report.tenant_pk))
    report.remainders, report.proved_at = count_left(report.looks), timezone.now()
    with unbound():
        report.save(update_fields=["looks", "remainders", "proved_at"])
    return report


def prove_deletion(schema: str, pk: int) -> list[Look]:
    """Look at all places for what is left of a tenant; change nothing."""
    with unbound():
        return [look for find in PLACES for look in find(Gone(schema, pk))]


def leave(tenant: Tenant, delete_after: datetime) -> None:
    """Close the tenant and remember what it was; one that is leaving gets the date.

    Raises ValidationError for a tenant that was never provisioned.
    """
    mine, leaving = Tenant.objects.filter(pk=tenant.pk), Tenant.State.LEAVING
    closed = mine.filter(state__in=SERVED).update(
        state_before=F("state"), state=leaving, delete_after=delete_after
    )
    if not (closed or mine.filter(state=leaving).update(delete_after=delete_after)):
        raise ValidationError(
            f"{tenant} is {tenant.state}: there is nothing that could be kept. Delete it at once."
        )
    tenant.refresh_from_db()


def _delete_if_due(tenant: Tenant) -> DeletionReport | None:
    """Delete the tenant unless it is to be kept; the caller holds the lock of its life cycle."""
    with transaction.atomic():
        never_provisioned, due = Q(provisioned_at=None), Q(delete_after__lte=timezone.now())
        rows = Tenant.objects.select_for_update().filter(never_provisioned | due, pk=tenant.pk)
        if (current := rows.first()) is None:
            return None
        _refuse_if_busy(current.schema_name)
        report = DeletionReport.objects.create(
            schema_name=current.schema_name, name=current.name, tenant_pk=current.pk
        )
        erase_shared(current.schema_name, current.pk)
        current.delete()
        record("delete", whose=report.schema_name)
    erase_outside(report.schema_name)
    return report


def _refuse_if_busy(schema: str) -> None:
    tasks = find_rows(schema=schema)
    running = tasks.filter(status=TaskResultStatus.RUNNING).count() - len(find_orphans(tasks))
    if running > 0:
        raise BusyTenantError(
            f"Workers are at {running} tasks of the schema {schema!r}. Run this again when they have ended."
        )
