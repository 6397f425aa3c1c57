"""A net below the task that deletes a tenant whose time of grace is over."""

from datetime import timedelta

from django.utils import timezone

from apps.operations.deletion.tasks import delete_due_tenant
from tenants.models import Tenant
from tenants.periodic.schedule import Schedule, Where
from tenants.queue.rows import UNDONE, find_rows


def delete_overdue_tenants() -> None:
    """Write the task that deletes a tenant again where it was lost, as by a queue that was emptied."""
    for tenant in Tenant.objects.filter(state=Tenant.State.LEAVING, delete_after__lt=timezone.now()):
        if not find_rows(delete_due_tenant, args=[tenant.pk]).filter(status__in=UNDONE).exists():
            delete_due_tenant.enqueue(tenant.pk)


SCHEDULES = [Schedule(delete_overdue_tenants, every=timedelta(hours=1), where=Where.PUBLIC)]
