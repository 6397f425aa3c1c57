"""Per-tenant semantic search. Begin with `get_provider`."""

from apps.search.providers import UnknownIndexError, get_provider
from tenants.context import NoTenantError

__all__ = ["NoTenantError", "UnknownIndexError", "get_provider"]
