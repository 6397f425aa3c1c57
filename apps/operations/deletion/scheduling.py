"""The time of grace: a tenant that leaves is closed, and can be kept until it is deleted."""

from datetime import timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.tasks import TaskResultStatus
from django.utils import timezone

from apps.operations.deletion.conf import conf
from apps.operations.deletion.deleting import leave
from apps.operations.deletion.tasks import delete_due_tenant
from tenants.audit import record
from tenants.context import unbound
from tenants.models import Tenant
from tenants.queue.held_tasks import release_tasks
from tenants.queue.rows import find_rows

MOST_DAYS = 3650


def schedule_deletion(tenant: Tenant, days: float | None = None) -> None:
    """Close the tenant now and write the task that deletes it after so many days.

    The default is settings.DELETION_GRACE_DAYS. A tenant that is leaving already gets the new date. Raises
    ValidationError for days below 0 or above MOST_DAYS, and for a tenant that was never provisioned.
    """
    days = conf.DELETION_GRACE_DAYS if days is None else days
    if not 0 <= days <= MOST_DAYS:
        raise ValidationError(f"The days of grace are {days}; they must be 0 to {MOST_DAYS}.")
    delete_after = timezone.now() + timedelta(days=days)
    with unbound(), transaction.atomic():
        leave(tenant, delete_after)
        delete_due_tenant.using(run_after=delete_after).enqueue(tenant.pk)
        record("schedule deletion", whose=tenant.schema_name, after=delete_after.isoformat())


def keep_tenant(tenant: Tenant) -> None:
    """Undo the scheduled deletion: the tenant is again what it was, and the tasks that waited are due.

    A suspended one goes on waiting. Raises ValidationError for a tenant that is not leaving.
    """
    with unbound(), transaction.atomic():
        leaving = Tenant.objects.filter(pk=tenant.pk, state=Tenant.State.LEAVING)
        if not leaving.update(state=F("state_before"), state_before="", delete_after=None):
            raise ValidationError(f"{tenant} is not leaving, so there is nothing to undo.")
        tenant.refresh_from_db()
        find_rows(delete_due_tenant, args=[tenant.pk]).filter(status=TaskResultStatus.READY).delete()
        release_tasks(tenant.schema_name)
        record("keep", whose=tenant.schema_name)
