"""A host's Domain is remembered outside of transactions only, so these work in threads and really commit."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from asgiref.sync import async_to_sync
from django.db import connection, transaction
from django.http import JsonResponse
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext
from django.urls import path

from tenants.hosts import HostCache, find_domain, forget_hosts
from tenants.models import Domain, Tenant
from tenants.provisioning.life_cycle import resume, suspend

from .test_middleware import HOSTILE_HOSTS

HOST = "nimbus.localhost"
FOR_EVER = 3600.0  # seconds; no test takes as long
AT_ONCE = 1e-9

CHANGES = {
    "a tenant saved": lambda: set_and_save(Tenant.objects.get(subdomain="nimbus"), state="suspended"),
    "tenants updated": lambda: Tenant.objects.filter(subdomain="nimbus").update(state="suspended"),
    "tenants updated in bulk": lambda: Tenant.objects.bulk_update(
        [set_values(Tenant.objects.get(subdomain="nimbus"), state="suspended")], ["state"]
    ),
    "a tenant deleted": lambda: Tenant.objects.get(subdomain="nimbus").delete(),
    "tenants deleted": lambda: Tenant.objects.filter(subdomain="nimbus").delete(),
    "a domain saved": lambda: set_and_save(Domain.objects.get(domain=HOST), domain="other.localhost"),
    "domains updated": lambda: Domain.objects.filter(domain=HOST).update(domain="other.localhost"),
    "a tenant's domains updated": lambda: Tenant.objects.get(subdomain="nimbus").domains.update(
        domain="other.localhost"
    ),
    "a domain deleted": lambda: Domain.objects.get(domain=HOST).delete(),
}
RAW_CHANGES = [
    "UPDATE tenants_tenant SET state = 'suspended' WHERE subdomain = 'nimbus'",
    "UPDATE tenants_domain SET domain = 'other.localhost' WHERE domain = 'nimbus.localhost'",
    "DELETE FROM tenants_domain WHERE domain = 'nimbus.localhost'",
    "WITH gone AS (DELETE FROM tenants_domain WHERE domain = 'nimbus.localhost' RETURNING tenant_id) "
    "INSERT INTO tenants_domain (domain, tenant_id, is_primary) SELECT 'other.localhost', tenant_id, true "
    "FROM gone",
]


def set_values(instance, **values):
    for name, value in values.items():
        setattr(instance, name, value)
    return instance


def set_and_save(instance, **values):
    set_values(instance, **values).save()


def spoil_tenant(request):
    seen = request.tenant.name
    request.tenant.name = "spoiled"
    return JsonResponse({"name": seen, "schema": connection.schema_name})


async def show_schema(request):
    await asyncio.sleep(0)
    return JsonResponse({"schema": connection.schema_name})


urlpatterns = [path("", spoil_tenant), path("async/", show_schema)]


@pytest.fixture(autouse=True)
def _long_memory(settings):
    settings.ROOT_URLCONF = settings.PUBLIC_SCHEMA_URLCONF = __name__
    settings.TENANT_CACHE_SECONDS = FOR_EVER
    forget_hosts()
    yield
    forget_hosts()


@pytest.fixture
def nimbus(committed):
    yield committed(make_tenant, "nimbus")
    committed(remove_tenant, "nimbus")


@pytest.fixture
def ask(committed):
    return lambda host: committed(lambda: Client().get("/", headers={"host": host}))


@pytest.fixture
def change_elsewhere(committed):
    """As another process does it: nobody tells this one."""

    def change(sql):
        with connection.cursor() as cursor:
            cursor.execute(sql)

    return lambda sql: committed(change, sql)


def make_tenant(subdomain):
    remove_tenant(subdomain)  # an interrupted run may have left it
    tenant = Tenant.objects.create(
        name=subdomain.title(),
        subdomain=subdomain,
        schema_name=subdomain,
        owner_email=f"owner@{subdomain}.example",
        state="active",
    )
    Domain.objects.create(domain=tenant.hostname, tenant=tenant)
    return tenant


def remove_tenant(subdomain):
    Domain.objects.filter(domain=f"{subdomain}.localhost").delete()
    Tenant.objects.filter(subdomain=subdomain).delete()


def count_queries(function, *args):
    with CaptureQueriesContext(connection) as queries:
        function(*args)
    return len(queries)


def test_a_domain_is_found_with_all_its_values_and_its_tenant(nimbus, committed):
    found = committed(find_domain, HOST)

    stored = committed(Domain.objects.select_related("tenant").get, domain=HOST)
    for name in ("domain", "tenant"):
        ours, theirs = ((found, stored), (found.tenant, stored.tenant))[name == "tenant"]
        assert {key: value for key, value in vars(ours).items() if key != "_state"} == {
            key: value for key, value in vars(theirs).items() if key != "_state"
        }
        assert (ours._state.db, ours._state.adding) == ("default", False)


def test_a_remembered_host_costs_no_query(nimbus, committed):
    def find_twice():
        return [count_queries(find_domain, HOST) for _ in range(2)]

    first, second = committed(find_twice)

    assert first > 0
    assert second == 0


def test_a_suspension_is_effective_at_once_in_the_process_that_makes_it(nimbus, ask, committed):
    statuses = [ask(HOST).status_code]
    committed(suspend, nimbus)
    statuses.append(ask(HOST).status_code)
    committed(resume, nimbus)
    statuses.append(ask(HOST).status_code)

    assert statuses == [200, 403, 200]


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_every_change_of_the_registry_is_effective_at_once(nimbus, ask, committed, change):
    before = ask(HOST).status_code
    committed(change)

    after = ask(HOST).status_code

    assert before == 200
    assert after in (403, 404)


@pytest.mark.parametrize("sql", RAW_CHANGES)
def test_a_change_elsewhere_is_noticed_once_the_time_is_over(nimbus, ask, change_elsewhere, settings, sql):
    ask(HOST)
    change_elsewhere(sql)
    believed = ask(HOST).status_code
    settings.TENANT_CACHE_SECONDS = AT_ONCE

    noticed = ask(HOST).status_code

    assert believed == 200
    assert noticed in (403, 404)


def test_without_a_change_the_hosts_are_remembered_when_the_time_is_over(nimbus, committed, settings):
    def find_again():
        find_domain(HOST)
        settings.TENANT_CACHE_SECONDS = AT_ONCE
        with CaptureQueriesContext(connection) as queries:
            find_domain(HOST)
        return [query["sql"] for query in queries]

    (version,) = [sql for sql in committed(find_again) if sql.startswith("SELECT")]

    assert "xmin" in version


def test_zero_seconds_ask_the_registry_each_time(nimbus, ask, change_elsewhere, settings):
    settings.TENANT_CACHE_SECONDS = 0
    before = ask(HOST).status_code
    change_elsewhere(RAW_CHANGES[0])

    after = ask(HOST).status_code

    assert (before, after) == (200, 403)


def test_a_new_domain_is_effective_at_once_everywhere(nimbus, ask, change_elsewhere):
    statuses = [ask("search.nimbus.example").status_code]
    change_elsewhere(
        "INSERT INTO tenants_domain (domain, tenant_id, is_primary) "
        f"VALUES ('search.nimbus.example', {nimbus.pk}, false)"
    )
    statuses.append(ask("search.nimbus.example").status_code)

    assert statuses == [404, 200]


def test_a_domain_that_moves_leads_to_its_new_tenant_at_once(nimbus, acme, ask, committed):
    before = ask(HOST).json()["schema"]
    committed(lambda: Domain.objects.filter(domain=HOST).update(tenant=acme, is_primary=False))

    after = ask(HOST).json()["schema"]

    assert (before, after) == ("nimbus", "acme")


def test_what_is_rolled_back_was_never_remembered(nimbus, committed):
    def suspend_and_roll_back():
        with transaction.atomic():
            suspend(nimbus)
            inside = find_domain(HOST).tenant.state
            transaction.set_rollback(True)
        return inside, find_domain(HOST).tenant.state

    assert committed(suspend_and_roll_back) == ("suspended", "active")


def test_what_changes_while_it_is_read_is_not_remembered(nimbus, committed):
    def suspend_meanwhile(execute, sql, *args):
        result = execute(sql, *args)
        if '"tenants_domain"."domain" =' in sql and not meanwhile:
            meanwhile.append(True)
            with ThreadPoolExecutor(1) as pool:
                pool.submit(suspend_and_close).result(timeout=120)
        return result

    def suspend_and_close():
        suspend(nimbus)
        connection.close()

    def find_twice():
        with connection.execute_wrapper(suspend_meanwhile):
            first = find_domain(HOST).tenant.state
        return first, find_domain(HOST).tenant.state

    meanwhile = []

    assert committed(find_twice) == ("active", "suspended")


def test_what_another_process_changes_while_it_is_read_is_not_remembered(nimbus, committed):
    cache = HostCache(3)

    def change_and_notice(execute, sql, *args):
        result = execute(sql, *args)
        if '"tenants_domain"."domain" =' in sql and not noticed:
            noticed.append(True)
            with ThreadPoolExecutor(1) as pool:
                pool.submit(notice).result(timeout=120)
        return result

    def notice():
        with connection.cursor() as cursor:
            cursor.execute(RAW_CHANGES[0])
        cache.get("acme.localhost", AT_ONCE)
        connection.close()

    def find_twice():
        with connection.execute_wrapper(change_and_notice):
            first = cache.get(HOST, FOR_EVER).tenant.state
        return first, cache.get(HOST, FOR_EVER).tenant.state

    noticed = []

    assert committed(find_twice) == ("active", "suspended")


def test_hosts_that_nobody_has_drive_out_none_that_somebody_has(nimbus, committed):
    cache = HostCache(3)

    def attack():
        cache.get(HOST, FOR_EVER)
        for number in range(100):
            cache.get(f"x{number}.localhost", FOR_EVER)
        return count_queries(cache.get, HOST, FOR_EVER)

    assert committed(attack) == 0
    assert len(cache) == 1


def test_hostile_hosts_are_not_found_and_not_remembered(nimbus, ask, committed):
    ask(HOST)
    statuses = {ask(host).status_code for host in HOSTILE_HOSTS}

    cost = committed(count_queries, find_domain, HOST)

    assert statuses == {404}
    assert cost == 0


def test_the_host_asked_for_longest_ago_makes_room(nimbus, acme, globex, committed):
    cache = HostCache(2)

    def visit():
        for host in (HOST, "acme.localhost", HOST, "globex.localhost"):
            cache.get(host, FOR_EVER)
        hosts = (HOST, "globex.localhost", "acme.localhost")
        return [count_queries(cache.get, host, FOR_EVER) > 0 for host in hosts]

    assert committed(visit) == [False, False, True]
    assert len(cache) == 2


def test_a_request_that_changes_its_tenant_changes_it_for_nobody_else(nimbus, ask):
    names = [ask(HOST).json()["name"] for _ in range(3)]

    assert names == ["Nimbus"] * 3


def test_threads_share_no_tenant(acme, globex):
    def spoil(number):
        schema = ("acme", "globex")[number % 2]
        tenant = find_domain(f"{schema}.localhost").tenant
        seen = (tenant.schema_name, tenant.name)
        tenant.schema_name = tenant.name = f"spoiled {number}"
        connection.close()
        return seen

    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(spoil, range(400)))

    assert seen == [("acme", "Acme"), ("globex", "Globex")] * 200


def test_coroutines_of_two_remembered_tenants_do_not_mix(acme, globex, committed):
    async def ask_one(host):
        scope = {"path": "/async/", "query_string": "", "headers": [(b"host", host.encode())]}
        return (await AsyncClient().request(**scope)).json()["schema"]

    async def ask_all():
        return await asyncio.gather(*map(ask_one, ["acme.localhost", "globex.localhost"] * 10))

    assert committed(async_to_sync(ask_all)) == ["acme", "globex"] * 10
