"""What `manage.py doctor` finds of tenants that should be gone."""

from collections.abc import Iterator

from django.db.models import Q
from django.utils import timezone

from apps.operations.doctor.finding import PATIENCE, Finding, Level, Scope
from tenants.models import DeletionReport


def check_leaving(scope: Scope) -> Iterator[Finding]:
    """Yield tenants whose time of grace is over, but who are still there."""
    for tenant in scope.tenants:
        if tenant.delete_after is not None and tenant.delete_after < timezone.now() - PATIENCE:
            message = f"It should have been deleted after {tenant.delete_after:%Y-%m-%d %H:%M} UTC."
            fix = f"manage.py db_worker; or: manage.py delete_tenant {tenant.schema_name} --now"
            yield Finding(Level.ERROR, tenant.schema_name, message, fix)


def check_reports(scope: Scope) -> Iterator[Finding]:
    """Yield deletions that were cut short or left something behind."""
    if not scope.is_whole:
        return
    cut_short = Q(proved_at=None, deleted_at__lt=timezone.now() - PATIENCE)
    for report in DeletionReport.objects.filter(cut_short | Q(remainders__gt=0)).order_by("pk"):
        message = "Its deletion was cut short." if report.proved_at is None else "Something of it is left."
        fix = f"manage.py delete_tenant {report.schema_name} --now"
        yield Finding(Level.ERROR, report.schema_name, message, fix)


CHECKS = [check_leaving, check_reports]
