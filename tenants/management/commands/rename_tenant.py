"""manage.py rename_tenant"""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenants.management.tenants import find_tenant
from tenants.models import get_address
from tenants.provisioning.renaming import rename_tenant


class Command(BaseCommand):
    """Give a tenant another subdomain."""

    help = (
        "Rename a tenant's subdomain. The old host redirects to the new one; the schema keeps its name. "
        "Members sign in again, since cookies belong to a host."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare who is renamed, and to what."""
        parser.add_argument("schema", help="the schema of the tenant")
        parser.add_argument("subdomain", help="the new first label of its host")

    def handle(self, *args: Any, **options: Any) -> None:
        """Rename it; a bad subdomain ends in a CommandError."""
        tenant = find_tenant(options["schema"])
        try:
            rename_tenant(tenant, options["subdomain"])
        except ValidationError as error:
            raise CommandError(f"subdomain: {' '.join(error.messages)}") from error
        self.stdout.write(self.style.SUCCESS(f"{tenant.name} is at {tenant.url}"))
        for domain in tenant.domains.filter(redirects=True):
            self.stdout.write(f"{get_address(domain.domain)}/ redirects")
