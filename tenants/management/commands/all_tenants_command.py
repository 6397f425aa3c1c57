"""manage.py all_tenants_command"""

from typing import Any

from django_tenants.management.commands import all_tenants_command

from tenants.context import unbound
from tenants.management.tenants import describe_broken


class Command(all_tenants_command.Command):
    """django-tenants' command, in the tenants that have a schema."""

    help = "Run a command of Django's in every tenant that is provisioned, one after the other."

    def get_tenants(self, no_public: bool) -> Any:
        """Leave out tenants that wait to be provisioned, could not be, or are broken."""
        tenants = super().get_tenants(no_public).exclude(provisioned_at=None)
        broken = describe_broken(tenants)
        for line in broken.values():
            self.stderr.write(f"Passed over {line}")
        return [tenant for tenant in tenants if tenant.schema_name not in broken]

    def handle(self, *args: Any, **options: Any) -> None:
        """Run it, and leave bound what was bound."""
        with unbound():
            super().handle(*args, **options)
