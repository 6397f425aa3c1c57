"""manage.py delete_tenant"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenants.models import Tenant
from tenants.provisioning import delete_tenant


class Command(BaseCommand):
    """Delete a tenant with all its data."""

    help = "Delete a tenant: its domains, its schema with all data, its waiting tasks and its row."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the schema and the switch that skips the question."""
        parser.add_argument("--schema", required=True)
        parser.add_argument("--noinput", action="store_false", dest="interactive", help="do not ask")

    def handle(self, *args: Any, **options: Any) -> None:
        """Delete it, after its name was typed."""
        tenant = Tenant.objects.filter(schema_name=options["schema"]).first()
        if tenant is None:
            raise CommandError(f"--schema: no tenant has the schema {options['schema']!r}.")
        if options["interactive"]:
            self.stdout.write(f"This deletes {tenant.name} ({tenant.url}) and all its data, for ever.")
            if input("Type the tenant's name to go on: ") != tenant.name:
                raise CommandError("That is not its name; nothing was deleted.")
        name = tenant.name
        delete_tenant(tenant)
        self.stdout.write(self.style.SUCCESS(f"{name} is deleted."))
