"""manage.py clone_tenant"""

from typing import Any

from django.core.management.base import CommandError
from django_tenants.management.commands import clone_tenant

REASON = (
    "A cloned schema would have no role, and the new tenant no owner. To copy a tenant: "
    "manage.py export_tenant SCHEMA --to FILE, then manage.py import_tenant FILE --subdomain=COPY"
)


class Command(clone_tenant.Command):
    """Refuses django-tenants' command."""

    help = REASON

    def handle(self, *args: Any, **options: Any) -> None:
        """Raise CommandError."""
        raise CommandError(REASON)
