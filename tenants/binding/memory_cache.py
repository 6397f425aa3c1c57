"""A cache in memory that a tenant empties for itself only."""

from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.locmem import LocMemCache
from django_tenants.utils import get_public_schema_name

from tenants.context import connection
from tenants.provisioning.caches import erase_from


class EmptiedByTenant(BaseCache):
    """Mixed into a cache that lists its keys, and whose KEY_FUNCTION begins each with the schema."""

    def clear(self) -> None:
        """Remove the bound tenant's values; with no tenant bound, all values.

        Raises UnseenError for a cache that does not list the tenant's keys.
        """
        schema = connection.schema_name
        if schema == get_public_schema_name():
            super().clear()
        else:
            erase_from(self, schema)


class TenantLocMemCache(EmptiedByTenant, LocMemCache):
    """Django's LocMemCache, emptied for the bound tenant only."""
