import asyncio

import pytest
from django.core.cache import cache

from apps.accounts.access.rate_limits import count
from tenants.context import tenant_context


@pytest.fixture(autouse=True)
def empty():
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


@pytest.mark.parametrize("clear", [cache.clear, lambda: asyncio.run(cache.aclear())], ids=["clear", "aclear"])
def test_a_tenant_empties_the_cache_for_itself_only(acme, globex, clear):
    fill(acme, globex)

    with tenant_context(acme):
        clear()

    assert [read(acme), read(globex), cache.get("greeting")] == [None, "globex", "public"]


def test_a_tenant_lifts_nobody_elses_rate_limits(acme, globex, settings):
    settings.RATE_LIMITS = {"sign_in": "1/d"}
    with tenant_context(globex):
        count("sign_in", "me")

    with tenant_context(acme):
        cache.clear()

    with tenant_context(globex):
        assert count("sign_in", "me")[0] > 0


def test_without_a_tenant_the_whole_cache_is_emptied(acme, globex):
    fill(acme, globex)

    cache.clear()

    assert [read(acme), read(globex), cache.get("greeting")] == [None, None, None]
