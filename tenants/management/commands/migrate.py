"""manage.py migrate"""

from typing import Any

from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections
from django.db.migrations.autodetector import MigrationAutodetector
from django_tenants.utils import get_tenant_base_migrate_command_class, get_tenant_database_alias


class Command(BaseCommand):
    """`migrate_schemas` under Django's own name; for a database without tenants, Django's command."""

    autodetector = MigrationAutodetector  # a check of Django's compares it with that of makemigrations
    help = "Migrate public and the tenants that lag, as migrate_schemas does, or another database."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare what migrate_schemas does; it is that of apps.operations.fleet where this is installed."""
        self.schemas = load_command_class(get_commands()["migrate_schemas"], "migrate_schemas")
        self.schemas.add_arguments(parser)
        parser.add_argument("--no-input", action="store_false", dest="interactive", help="as --noinput")

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate `public` and the tenants, or the other database that --database names."""
        alias = options["database"]
        if alias == get_tenant_database_alias():
            self.schemas.stdout, self.schemas.stderr = self.stdout, self.stderr
            self.schemas.handle(*args, **options)
        elif alias in connections:
            stock = get_tenant_base_migrate_command_class()
            stock(stdout=self.stdout, stderr=self.stderr).handle(*args, **options)
        else:
            raise CommandError(f"--database: there is no {alias!r}. There are: {', '.join(connections)}.")
