"""manage.py create_missing_schemas"""

from typing import Any

from django.core.management.base import CommandError
from django_tenants.management.commands import create_missing_schemas

REASON = (
    "A schema alone makes no tenant: a role, an owner and a domain belong to it. manage.py db_worker "
    'provisions tenants that wait. After a failure choose "Provision again" in the operators\' admin. '
    "manage.py doctor names tenants whose schema is gone."
)


class Command(create_missing_schemas.Command):
    """Refuses django-tenants' command."""

    help = REASON

    def handle(self, *args: Any, **options: Any) -> None:
        """Raise CommandError."""
        raise CommandError(REASON)
