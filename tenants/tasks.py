"""What a worker does for the registry."""

from datetime import timedelta

from django.tasks import task
from django.utils import timezone

from apps.operations.deletion.deleting import BusyTenantError, delete_due
from tenants.models import Tenant
from tenants.provisioning.life_cycle import provision

PATIENCE = timedelta(minutes=1)


class RemainderError(RuntimeError):
    """Something of a deleted tenant is left; its report says what, and what to do."""


@task
def provision_tenant(tenant_pk: int) -> None:
    """Provision the tenant, if it still exists."""
    if tenant := Tenant.objects.filter(pk=tenant_pk).first():
        provision(tenant)


@task
def delete_due_tenant(tenant_pk: int) -> None:
    """Delete the tenant if it is still to be deleted and its time has come.

    While other workers are at its tasks, it tries again every minute. Raises RemainderError.
    """
    try:
        reports = delete_due(tenant_pk)
    except BusyTenantError:
        delete_due_tenant.using(run_after=timezone.now() + PATIENCE).enqueue(tenant_pk)
        return
    if any(not report.is_clean for report in reports):
        raise RemainderError("Something of the tenant is left. Its report in the operators' admin says what.")
