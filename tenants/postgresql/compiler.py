"""Compilers that refuse a tenant's table while no tenant is bound.

Named by DatabaseOperations.compiler_module; Django looks the classes up here by their names.
"""

from functools import lru_cache
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db.backends.postgresql import compiler as stock
from django.db.models.sql import compiler as base
from django_tenants.utils import get_public_schema_name


class Guard:
    """Mixed into each compiler: no tenant, no query."""

    query: Any
    connection: Any

    def as_sql(self, *args: Any, **kwargs: Any) -> Any:
        """Return the SQL. Raises NoTenantError for a tenant's table while none is bound."""
        model = self.query.model
        if model is not None and self.connection.schema_name == get_public_schema_name():
            _refuse_if_tenants(model)
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


def _refuse_if_tenants(model: Any) -> None:
    if is_tenant_app(model._meta.app_label):
        from tenants.context import NoTenantError

        raise NoTenantError(
            f"{model._meta.label} belongs to a tenant, and none is bound. "
            "Wrap the call in `with tenant_context(tenant):` (from tenants.context)."
        )


@lru_cache(maxsize=256)
def is_tenant_app(app_label: str) -> bool:
    """Return whether an app's tables are in the tenants' schemas only."""
    return has_tenant_tables(app_label) and not has_shared_tables(app_label)


def has_tenant_tables(app_label: str) -> bool:
    """Return whether an app's tables are in the tenants' schemas, be they in `public`, too."""
    return not _names(app_label).isdisjoint(settings.TENANT_APPS)


def has_shared_tables(app_label: str) -> bool:
    """Return whether an app's tables are in `public`, be they in the tenants' schemas, too."""
    return not _names(app_label).isdisjoint(settings.SHARED_APPS)


def _names(app_label: str) -> set[str]:
    try:
        config = apps.get_app_config(app_label)
    except LookupError:
        return set()
    return {config.name, f"{type(config).__module__}.{type(config).__qualname__}"}
