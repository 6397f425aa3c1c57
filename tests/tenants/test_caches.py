import asyncio
from threading import Thread

import pytest
from django.core.cache import cache
from fakeredis import TcpFakeServer

from tenants.checks import check_caches
from tenants.context import tenant_context
from tenants.provisioning.caches import UnseenError, erase_cached, list_cached

LOCAL, REDIS = (
    "tenants.binding.memory_cache.TenantLocMemCache",
    "tenants.binding.redis_cache.TenantRedisCache",
)


@pytest.fixture(scope="module")
def redis_url():
    server = TcpFakeServer(("127.0.0.1", 0))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"redis://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(params=[LOCAL, REDIS], ids=["local", "redis"], autouse=True)
def empty(request, settings, redis_url):
    own = {"BACKEND": request.param, "LOCATION": redis_url, "OPTIONS": {}}
    settings.CACHES = {"default": settings.CACHES["default"] | own}
    cache.clear()
    yield
    cache.clear()


def fill(*tenants):
    cache.set("greeting", "public")
    for tenant in tenants:
        with tenant_context(tenant):
            cache.set("greeting", tenant.schema_name)


def read(tenant):
    with tenant_context(tenant):
        return cache.get("greeting")


@pytest.mark.parametrize(
    "clear", [lambda: cache.clear(), lambda: asyncio.run(cache.aclear())], ids=["clear", "aclear"]
)
def test_a_tenant_empties_the_cache_for_itself_only(acme, globex, clear):
    fill(acme, globex)

    with tenant_context(acme):
        clear()

    assert [read(acme), read(globex), cache.get("greeting")] == [None, "globex", "public"]


def test_without_a_tenant_the_whole_cache_is_emptied(acme, globex):
    fill(acme, globex)

    cache.clear()

    assert [read(acme), read(globex), cache.get("greeting")] == [None, None, None]


def test_more_values_than_a_command_takes_are_removed(acme, globex, monkeypatch):
    monkeypatch.setattr("tenants.provisioning.caches.AT_ONCE", 2)
    fill(globex)
    with tenant_context(acme):
        cache.set_many({f"key{number}": number for number in range(7)})

    with tenant_context(acme):
        cache.clear()

    assert list_cached("default", "acme") == []
    assert list_cached("default", "globex") == ["globex::1:greeting"]


def test_a_deleted_tenants_values_are_erased(acme, globex):
    fill(acme, globex)

    erase_cached("acme")

    assert [read(acme), read(globex), cache.get("greeting")] == [None, "globex", "public"]


def test_a_tenant_cannot_empty_a_cache_whose_keys_do_not_begin_with_its_schema(acme, settings):
    settings.CACHES = {"default": settings.CACHES["default"] | {"KEY_FUNCTION": None}}
    cache.set("greeting", "hello")

    with tenant_context(acme), pytest.raises(UnseenError, match="KEY_FUNCTION"):
        cache.clear()

    assert cache.get("greeting") == "hello"


@pytest.mark.parametrize("backend", ["redis.RedisCache", "locmem.LocMemCache", "filebased.FileBasedCache"])
def test_a_cache_that_a_tenant_empties_for_all_is_w002(settings, backend):
    settings.CACHES = settings.CACHES | {"other": {"BACKEND": f"django.core.cache.backends.{backend}"}}

    (warning,) = check_caches()

    assert warning.id == "tenants.W002"
    assert warning.msg.startswith("CACHES['other'] is a ")
    assert "TenantRedisCache" in warning.hint


def test_a_cache_that_keeps_tenants_apart_or_nothing_is_no_fault(settings):
    dummy = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
    settings.CACHES = settings.CACHES | {"other": dummy}

    assert check_caches() == []
