"""What a worker does when a tenant's time of grace is over."""

from datetime import timedelta

from django.tasks import task
from django.utils import timezone

from apps.operations.deletion.deleting import BusyTenantError, delete_due

PATIENCE = timedelta(minutes=1)


class RemainderError(RuntimeError):
    """Something of a deleted tenant is left; its report says what, and what to do."""


@task
def delete_due_tenant(tenant_pk: int) -> None:
    """Delete the tenant if it is still to be deleted and its time has come.

    While other workers run tasks of the tenant, it tries again every minute. Raises RemainderError.
    """
    try:
        reports = delete_due(tenant_pk)
    except BusyTenantError:
        delete_due_tenant.using(run_after=timezone.now() + PATIENCE).enqueue(tenant_pk)
        return
    if any(not report.is_clean for report in reports):
        raise RemainderError("Something of the tenant is left. Its report in the operators' admin says what.")
