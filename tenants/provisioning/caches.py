"""The entries of a tenant in Django's caches, as far as a cache lists them."""

from typing import Any

from django.core.cache import caches
from django.core.cache.backends.db import BaseDatabaseCache
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache
from django.db import connection
from django_tenants.utils import schema_context


class UnseenError(RuntimeError):
    """A cache does not list its entries; the message says why."""


def list_cached(alias: str, schema: str) -> list[str]:
    """Return the keys, as stored, of a schema's entries in a cache of settings.CACHES.

    A cache in local memory lists those of this process only. Raises UnseenError.
    """
    cache: Any = caches[alias]
    prefix = f"{schema}:"
    with schema_context(schema):
        if not cache.make_key("any").startswith(prefix):
            raise UnseenError("its keys do not begin with the tenant's schema (KEY_FUNCTION)")
    if isinstance(cache, DummyCache):
        return []
    if isinstance(cache, LocMemCache):
        with cache._lock:  # type: ignore[attr-defined]
            return [key for key in cache._cache if key.startswith(prefix)]  # type: ignore[attr-defined]
    if isinstance(cache, BaseDatabaseCache):
        return _query(cache, "SELECT cache_key FROM {table} WHERE starts_with(cache_key, %s)", prefix)
    raise UnseenError(f"{type(cache).__name__} does not list its keys")


def erase_cached(schema: str) -> None:
    """Remove the entries of a schema from every cache that lists them."""
    for alias in caches.settings:
        try:
            list_cached(alias, schema)  # tells whether they can be known
        except UnseenError:
            continue
        cache: Any = caches[alias]
        if isinstance(cache, LocMemCache):
            erase_local(cache, schema)
        elif isinstance(cache, BaseDatabaseCache):
            sql = "DELETE FROM {table} WHERE starts_with(cache_key, %s) RETURNING cache_key"
            _query(cache, sql, f"{schema}:")


def erase_local(cache: LocMemCache, schema: str) -> None:
    """Remove the entries of a schema from a cache in this process's memory."""
    store: Any = cache
    with store._lock:
        for key in [key for key in store._cache if key.startswith(f"{schema}:")]:
            store._delete(key)


def _query(cache: Any, sql: str, prefix: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(sql.format(table=connection.ops.quote_name(cache._table)), [prefix])
        return [key for (key,) in cursor.fetchall()]
