"""The entries of a tenant in Django's caches, as far as a cache lists them."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import batched
from typing import Any

from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.db import BaseDatabaseCache
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from django.db import connection
from django_tenants.utils import schema_context

AT_ONCE = 1000  # keys that a Redis server is asked for, or told to delete, in one command


class UnseenError(RuntimeError):
    """A cache does not list its entries; the message says why."""


def list_cached(alias: str, schema: str) -> list[str]:
    """Return the keys, as stored, of a schema's entries in a cache of settings.CACHES.

    A cache in local memory lists those of this process only. Raises UnseenError.
    """
    cache: Any = caches[alias]
    prefix = _get_prefix(cache, schema)
    if isinstance(cache, DummyCache):
        return []
    if isinstance(cache, LocMemCache):
        with cache._lock:  # type: ignore[attr-defined]
            return [key for key in cache._cache if key.startswith(prefix)]  # type: ignore[attr-defined]
    if isinstance(cache, BaseDatabaseCache):
        return _query(cache, "SELECT cache_key FROM {table} WHERE starts_with(cache_key, %s)", prefix)
    if isinstance(cache, RedisCache):
        return [key.decode() for key in _scan(cache, prefix)]
    raise UnseenError(f"{type(cache).__name__} does not list its keys")


def erase_cached(schema: str) -> None:
    """Remove the entries of a schema from every cache that lists them."""
    for alias in caches.settings:
        with suppress(UnseenError):
            erase_from(caches[alias], schema)


def erase_from(cache: BaseCache, schema: str) -> None:
    """Remove the entries of a schema from one cache. Raises UnseenError for one that does not list them."""
    prefix, store = _get_prefix(cache, schema), cache  # type: tuple[str, Any]
    if isinstance(cache, LocMemCache):
        with store._lock:
            for key in [key for key in store._cache if key.startswith(prefix)]:
                store._delete(key)
    elif isinstance(cache, BaseDatabaseCache):
        _query(store, "DELETE FROM {table} WHERE starts_with(cache_key, %s) RETURNING cache_key", prefix)
    elif isinstance(cache, RedisCache):
        for keys in batched(_scan(store, prefix), AT_ONCE):
            store._cache.get_client(write=True).unlink(*keys)
    elif not isinstance(cache, DummyCache):
        raise UnseenError(f"{type(cache).__name__} does not list its keys")


def _get_prefix(cache: BaseCache, schema: str) -> str:
    prefix = f"{schema}:"
    with schema_context(schema):
        if not cache.make_key("any").startswith(prefix):
            raise UnseenError("its keys do not begin with the tenant's schema (KEY_FUNCTION)")
    return prefix


def _scan(cache: Any, prefix: str) -> Iterator[bytes]:
    # The names of schemas hold no character that a pattern of Redis gives a meaning.
    return cache._cache.get_client(write=True).scan_iter(match=f"{prefix}*", count=AT_ONCE)


def _query(cache: Any, sql: str, prefix: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(sql.format(table=connection.ops.quote_name(cache._table)), [prefix])
        return [key for (key,) in cursor.fetchall()]
