"""A cache in memory that a tenant empties for itself only."""

from django.core.cache.backends.locmem import LocMemCache
from django_tenants.utils import get_public_schema_name

from tenants.context import connection


class TenantLocMemCache(LocMemCache):
    """Django's LocMemCache, for a KEY_FUNCTION that begins each key with the schema."""

    def clear(self) -> None:
        """Remove the bound tenant's values, its rate limits among them; with no tenant bound, all values."""
        schema = connection.schema_name
        if schema == get_public_schema_name():
            return super().clear()
        with self._lock:  # type: ignore[attr-defined]
            for key in [key for key in self._cache if key.startswith(f"{schema}:")]:  # type: ignore[attr-defined]
                self._delete(key)  # type: ignore[attr-defined]
        return None
