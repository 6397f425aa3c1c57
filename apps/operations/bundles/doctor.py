"""What `manage.py doctor` finds of imports that were killed."""

from collections.abc import Iterator

from django.utils import timezone

from apps.operations.bundles.registration import list_left
from apps.operations.doctor.finding import PATIENCE, Finding, Level, Scope
from tenants.locks import Lock, find_held


def check_imports(scope: Scope) -> Iterator[Finding]:
    """Yield tenants of which an import made a part only."""
    at_work = find_held(Lock.LIFE_CYCLE, scope.schemas)
    for tenant in list_left().filter(created_at__lt=timezone.now() - PATIENCE).order_by("schema_name"):
        if tenant.schema_name in scope.schemas - at_work:
            message = f"Its import, of {tenant.created_at:%Y-%m-%d %H:%M} UTC, was cut short."
            yield Finding(Level.ERROR, tenant.schema_name, message, "manage.py import_tenant, once more")


CHECKS = [check_imports]
