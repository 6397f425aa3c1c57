"""Compilers that refuse a tenant's table while no tenant is bound.

Named by DatabaseOperations.compiler_module; Django looks the classes up here by their names.
"""

from typing import Any

from django.db.backends.postgresql import compiler as stock
from django.db.models.sql import compiler as base
from django_tenants.utils import get_public_schema_name

from tenants.placement import is_tenant_app
from tenants.postgresql.bound import NoTenantError


class Guard:
    """Mixed into each compiler: no tenant, no query."""

    query: Any
    connection: Any

    def as_sql(self, *args: Any, **kwargs: Any) -> Any:
        """Return the SQL. Raises NoTenantError for a tenant's table while none is bound."""
        model = self.query.model
        is_unbound = model is not None and self.connection.schema_name == get_public_schema_name()
        if is_unbound and is_tenant_app(model._meta.app_label):
            raise NoTenantError(
                f"{model._meta.label} belongs to a tenant, and none is bound. "
                "Wrap the call in `with tenant_context(tenant):` (from tenants.context)."
            )
        return super().as_sql(*args, **kwargs)  # type: ignore[misc]


class SQLCompiler(Guard, base.SQLCompiler):
    """SELECT."""


class SQLInsertCompiler(Guard, stock.SQLInsertCompiler):
    """INSERT."""


class SQLDeleteCompiler(Guard, base.SQLDeleteCompiler):
    """DELETE."""


class SQLUpdateCompiler(Guard, base.SQLUpdateCompiler):
    """UPDATE."""


class SQLAggregateCompiler(Guard, base.SQLAggregateCompiler):
    """Aggregates over a subquery."""
