"""What a worker does for a schedule that is due."""

import logging

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.tasks import task
from django_tenants.utils import get_public_schema_name

from tenants.context import connection, tenant_context
from tenants.models import Tenant
from tenants.periodic.schedule import get_schedule
from tenants.queue.retries import PASSING_ERRORS
from tenants.queue.turns import BULK

logger = logging.getLogger(__name__)


class ScheduleError(RuntimeError):
    """A periodic task failed in some tenants; the log has the reasons."""


@task(priority=BULK)
def run_in_public(name: str) -> None:
    """Run a schedule for `public`. Raises PermissionDenied for a task that a tenant has written."""
    _refuse_tenants()
    get_schedule(name).work()


@task(priority=BULK)
def run_in_tenants(name: str, first: int, last: int) -> None:
    """Run a schedule in each active tenant whose primary key is from `first` to `last`.

    A tenant in which it fails keeps no other from its turn. Raises ScheduleError at the end then, an error
    of the database that passes at once, and PermissionDenied for a task that a tenant has written.
    """
    _refuse_tenants()
    schedule = get_schedule(name)
    faults = []
    for pk in list(list_active().filter(pk__range=(first, last)).values_list("pk", flat=True)):
        tenant = list_active().filter(pk=pk).first()  # it may have been suspended or deleted meanwhile
        if tenant is None:
            continue
        try:
            with tenant_context(tenant):
                schedule.work()
        except PASSING_ERRORS:
            raise
        except Exception:
            if list_active().filter(pk=pk).exists():
                logger.exception("The periodic task %s failed in %s", name, tenant.schema_name)
                faults.append(tenant.schema_name)
    if faults:
        raise ScheduleError(f"{name} failed in {', '.join(faults)}; the log says why.")


def list_active() -> QuerySet[Tenant]:
    """Return the tenants that are served, by primary key."""
    active = Tenant.objects.filter(state=Tenant.State.ACTIVE).order_by("pk")
    return active.exclude(schema_name=get_public_schema_name())


def _refuse_tenants() -> None:
    if connection.schema_name != get_public_schema_name():
        raise PermissionDenied("Periodic tasks are written by workers, not by a tenant.")
