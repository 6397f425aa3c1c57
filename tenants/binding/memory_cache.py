"""A cache in memory that a tenant empties for itself only."""

from django.core.cache.backends.locmem import LocMemCache
from django_tenants.utils import get_public_schema_name

from tenants.context import connection
from tenants.provisioning.caches import erase_local


class TenantLocMemCache(LocMemCache):
    """Django's LocMemCache, for a KEY_FUNCTION that begins each key with the schema."""

    def clear(self) -> None:
        """Remove the bound tenant's values, its rate limits among them; with no tenant bound, all values."""
        schema = connection.schema_name
        if schema == get_public_schema_name():
            super().clear()
        else:
            erase_local(self, schema)
