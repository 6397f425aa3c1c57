"""manage.py rename_schema"""

from typing import Any

from django.core.management.base import CommandError
from django_tenants.management.commands import rename_schema

REASON = (
    "A tenant's schema keeps its name: the tenant's role, tasks, files and signatures are known by it. "
    "To give the tenant another address: manage.py rename_tenant SCHEMA SUBDOMAIN"
)


class Command(rename_schema.Command):
    """Refuses django-tenants' command."""

    help = REASON

    def handle(self, *args: Any, **options: Any) -> None:
        """Raise CommandError."""
        raise CommandError(REASON)
