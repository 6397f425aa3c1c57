"""manage.py flush"""

from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import flush
from django.db import DEFAULT_DB_ALIAS

REASON = (
    "This would empty the registry of tenants and leave their schemas behind. To delete a tenant with all "
    "that it has: manage.py delete_tenant SCHEMA. To begin anew in development: make db-reset"
)


class Command(flush.Command):
    """Refuses to empty the tenants' database from the command line."""

    help = f"{REASON} Other databases are emptied."

    def handle(self, **options: Any) -> None:
        """Flush another database, or this one for Django's TransactionTestCase. Raises CommandError."""
        is_of_test = "inhibit_post_migrate" in options  # no option of the command line
        if options["database"] == DEFAULT_DB_ALIAS and not is_of_test:
            raise CommandError(REASON)
        super().handle(**options)
