"""manage.py migrate"""

from typing import Any

from django.core.management.base import CommandError
from django.db import connections
from django_tenants.management.commands import migrate
from django_tenants.utils import get_tenant_base_migrate_command_class, get_tenant_database_alias


class Command(migrate.Command):
    """django-tenants' command; for a database without tenants, Django's own."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate `public` and the tenants, or the other database that --database names."""
        if options["database"] == get_tenant_database_alias():
            super().handle(*args, **options)
        elif options["database"] not in connections:
            known = ", ".join(connections)
            raise CommandError(f"--database: there is no {options['database']!r}. Known databases: {known}.")
        else:
            stock = get_tenant_base_migrate_command_class()
            stock(stdout=self.stdout, stderr=self.stderr).handle(*args, **options)
