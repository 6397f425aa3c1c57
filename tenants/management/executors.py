"""`migrate_schemas` for the tenants that have a schema."""

from typing import Any

from django.core.management.base import CommandError
from django_tenants.migration_executors import MigrationExecutor
from django_tenants.migration_executors import get_executor as get_stock_executor
from django_tenants.utils import get_public_schema_name, get_tenant_database_alias

from tenants.management.tenants import find_next_step
from tenants.provisioning.schemas import list_schemas


def check_options(options: dict[str, Any]) -> None:
    """Raise CommandError for a database without tenants, and for a schema that it does not have."""
    alias, home, schema = options["database"], get_tenant_database_alias(), options["schema_name"]
    if alias != home:
        raise CommandError(
            f"--database={alias}: only {home!r} has tenants' schemas. "
            f"Run: manage.py migrate --database={alias}"
        )
    if schema is not None and schema not in {*list_schemas(), get_public_schema_name()}:
        raise CommandError(f"--schema: there is no schema {schema!r}. {find_next_step(schema)}")


def get_executor(codename: str | None = None) -> type[Any]:
    """Return django-tenants' executor of that name, for existing schemas only.

    A tenant that waits to be provisioned, or whose provisioning failed, has no schema. It must not stop the
    migration of the others; provisioning migrates it. GET_EXECUTOR_FUNCTION names this function. Raises
    CommandError for an unknown name.
    """
    try:
        stock: type[Any] = get_stock_executor(codename=codename)
    except NotImplementedError as error:
        known = ", ".join(sorted(each.codename for each in MigrationExecutor.__subclasses__()))
        raise CommandError(
            f"--executor: there is no executor {codename!r}. Choose one of: {known}"
        ) from error

    class Executor(stock):
        """The stock executor, which passes over tenants without a schema."""

        def __init__(self, args: Any, options: Any) -> None:
            """Refuse a database or a schema that cannot be migrated. Raises CommandError."""
            check_options(options)
            super().__init__(args, options)

        def run_migrations(self, tenants: Any = None) -> None:
            """Migrate these schemas, as far as they exist; `public` always does."""
            existing = {*list_schemas(), get_public_schema_name()}
            super().run_migrations(tenants=[schema for schema in tenants or [] if schema in existing])

    return Executor
