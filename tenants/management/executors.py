"""`migrate_schemas` for the tenants that have a schema."""

from typing import Any

from django.core.management.base import CommandError
from django_tenants.migration_executors import get_executor as get_stock_executor
from django_tenants.utils import get_public_schema_name, get_tenant_database_alias

from tenants.provisioning.schemas import list_schemas


def get_executor(codename: str | None = None) -> type[Any]:
    """Return django-tenants' executor of that name, for existing schemas only.

    A tenant that waits to be provisioned, or whose provisioning failed, has no schema. It must not stop the
    migration of the others; provisioning migrates it. GET_EXECUTOR_FUNCTION names this function.
    """
    stock: type[Any] = get_stock_executor(codename=codename)

    class Executor(stock):
        """The stock executor, which passes over tenants without a schema."""

        def run_migrations(self, tenants: Any = None) -> None:
            """Migrate these schemas, as far as they exist; `public` always does."""
            refuse_other_database(self.options["database"])
            existing = {*list_schemas(), get_public_schema_name()}
            super().run_migrations(tenants=[schema for schema in tenants or [] if schema in existing])

    return Executor


def refuse_other_database(alias: str) -> None:
    """Raise CommandError for a database of DATABASES that has no tenants."""
    home = get_tenant_database_alias()
    if alias != home:
        raise CommandError(
            f"--database={alias}: only {home!r} has tenants' schemas. "
            f"Run: manage.py migrate --database={alias}"
        )
