"""manage.py dumpdata"""

from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import dumpdata
from django_tenants.utils import get_public_schema_name, get_tenant_database_alias

from tenants.context import connection, is_tenant_app


class Command(dumpdata.Command):
    """Django's command. It refuses the tenants' apps where no tenant is bound: it would find nothing."""

    def handle(self, *app_labels: str, **options: Any) -> None:
        """Dump. Raises CommandError for an app whose tables are in the tenants' schemas only."""
        is_unbound = connection.schema_name == get_public_schema_name()
        if is_unbound and options["database"] == get_tenant_database_alias():
            for label in app_labels:
                if is_tenant_app(label.partition(".")[0]):
                    raise CommandError(
                        f"The tables of {label} are in the tenants' schemas. For those of one tenant: "
                        f"manage.py tenant_command dumpdata {label} --schema=SCHEMA"
                    )
        super().handle(*app_labels, **options)
