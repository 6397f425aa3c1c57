"""manage.py tenant_command"""

from django.core.management.base import BaseCommand
from django_tenants.management.commands import tenant_command

from tenants.management.tenants import ProvisionedTenant


class Command(ProvisionedTenant, tenant_command.Command):
    """django-tenants' command, in a tenant that has a schema."""

    help = "Run a command of Django's in one tenant: manage.py tenant_command dumpdata accounts --schema=acme"

    def run_from_argv(self, argv: list[str]) -> None:
        """Run it; options may stand before the command, and django-tenants is silent when there is none."""
        if len(argv) <= 2 or argv[2].startswith("-"):
            BaseCommand.run_from_argv(self, argv)
        else:
            super().run_from_argv(argv)
