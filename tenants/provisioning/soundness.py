"""Tenants in which nothing can be done, because their row, schema or role is broken."""

from collections.abc import Iterable

from tenants.models import Tenant
from tenants.postgresql.role_names import are_roles_used
from tenants.provisioning.roles import list_roles
from tenants.provisioning.schemas import list_schemas
from tenants.validators import is_schema_name


def find_broken(tenants: Iterable[Tenant]) -> dict[str, str]:
    """Return what is broken about some of these tenants, which should have a schema; by its name."""
    schemas = list_schemas()
    roles = list_roles() if are_roles_used() else schemas.keys()
    broken = {}
    for schema in (tenant.schema_name for tenant in tenants):
        if not is_schema_name(schema):
            broken[schema] = "no schema can have this name"
        elif schema not in schemas:
            broken[schema] = "it has no schema"
        elif not schemas[schema]:
            broken[schema] = "its schema has no tables"
        elif schema not in roles:
            broken[schema] = "it has no database role"
    return broken
