"""The bound tenant, for all apps."""

from typing import TYPE_CHECKING, cast

from django import db
from django_tenants.utils import get_public_schema_name, get_tenant_model, schema_context, tenant_context

from tenants.placement import is_tenant_app
from tenants.postgresql.bound import NoTenantError, TenantMismatchError, owner_rights, statement_timeout

if TYPE_CHECKING:
    from tenants.models import Tenant
    from tenants.postgresql.base import DatabaseWrapper

__all__ = [
    "NoTenantError",
    "TenantMismatchError",
    "connection",
    "get_current_schema",
    "get_current_tenant",
    "is_tenant_app",
    "owner_rights",
    "statement_timeout",
    "tenant_context",
    "unbound",
]

# Django's own default connection, for type checkers known to be the tenants' engine.
connection = cast("DatabaseWrapper", db.connection)


def unbound() -> schema_context:
    """Return a context manager that binds no tenant: to read the registry, which a tenant's role may not."""
    return schema_context(get_public_schema_name())


def get_current_schema() -> str:
    """Return the bound tenant's schema name.

    Raises NoTenantError when none is bound.
    """
    schema: str = connection.schema_name
    if schema == get_public_schema_name():
        raise NoTenantError(
            "No tenant is bound, and this belongs to a tenant. "
            "Wrap the call in `with tenant_context(tenant):` (from tenants.context)."
        )
    return schema


def get_current_tenant() -> "Tenant":
    """Return the bound tenant, read from the registry when only its schema is bound.

    Raises NoTenantError when none is bound or the registry does not know the schema.
    """
    schema = get_current_schema()
    model = get_tenant_model()
    if isinstance(connection.tenant, model):
        return connection.tenant
    tenant = model.objects.filter(schema_name=schema).first()
    if tenant is None:
        raise NoTenantError(f"The schema {schema!r} is bound, but no tenant has it.")
    return tenant
