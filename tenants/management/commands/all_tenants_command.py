"""manage.py all_tenants_command"""

from typing import Any

from django_tenants.management.commands import all_tenants_command

from tenants.context import unbound


class Command(all_tenants_command.Command):
    """django-tenants' command, in the tenants that have a schema."""

    help = "Run a command of Django's in every tenant that is provisioned, one after the other."

    def get_tenants(self, no_public: bool) -> Any:
        """Leave out tenants that wait to be provisioned, or could not be."""
        return super().get_tenants(no_public).exclude(provisioned_at=None)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run it, and leave bound what was bound."""
        with unbound():
            super().handle(*args, **options)
