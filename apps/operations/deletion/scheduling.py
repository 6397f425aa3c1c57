"""The time of grace: a tenant that leaves is closed, and can be kept until it is deleted."""

from datetime import datetime, timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.tasks import TaskResultStatus
from django.utils import timezone
from django.utils.module_loading import import_string
from django_tasks_db.models import DBTaskResult

from tenants.context import unbound
from tenants.models import Tenant
from tenants.queue.unserved import release_tasks

SERVED = (Tenant.State.ACTIVE, Tenant.State.SUSPENDED)
MOST_DAYS = 3650
TASK = "tenants.tasks.delete_due_tenant"


def schedule_deletion(tenant: Tenant, days: float | None = None) -> None:
    """Close the tenant now and write the task that deletes it after so many days.

    Without `days` it is settings.DELETION_GRACE_DAYS. A tenant that is leaving gets the new date. Raises
    ValidationError for days below 0 or above MOST_DAYS, and for a tenant that was never provisioned.
    """
    days = settings.DELETION_GRACE_DAYS if days is None else days
    if not 0 <= days <= MOST_DAYS:
        raise ValidationError(f"The days of grace are {days}; they must be 0 to {MOST_DAYS}.")
    delete_after = timezone.now() + timedelta(days=days)
    with unbound(), transaction.atomic():
        leave(tenant, delete_after)
        import_string(TASK).using(run_after=delete_after).enqueue(tenant.pk)


def keep_tenant(tenant: Tenant) -> None:
    """Undo the scheduled deletion: the tenant is again what it was, and the tasks that waited are due.

    A suspended one goes on waiting. Raises ValidationError for a tenant that is not leaving.
    """
    with unbound(), transaction.atomic():
        leaving = Tenant.objects.filter(pk=tenant.pk, state=Tenant.State.LEAVING)
        if not leaving.update(state=F("state_before"), state_before="", delete_after=None):
            raise ValidationError(f"{tenant} is not leaving, so there is nothing to undo.")
        tenant.refresh_from_db()
        DBTaskResult.objects.filter(
            task_path=TASK, args_kwargs__args=[tenant.pk], status=TaskResultStatus.READY
        ).delete()
        release_tasks(tenant.schema_name)


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
