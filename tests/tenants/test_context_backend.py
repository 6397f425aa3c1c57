import asyncio
import threading
from contextvars import Context, copy_context

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.core.files.storage import default_storage
from django.db import DataError, connection, transaction
from django.http import JsonResponse, StreamingHttpResponse
from django.test import AsyncClient
from django.test.utils import CaptureQueriesContext
from django.urls import path

from tenants.context import NoTenantError, get_current_schema, get_current_tenant, tenant_context

from .tasks import describe_binding

BOUND_TO_ACME = ["acme", "acme"]
BOUND_TO_GLOBEX = ["globex", "globex"]
UNBOUND = ["public", "public"]


async def show_binding(request):
    body = {
        "view": connection.schema_name,
        "tenant": get_current_tenant().schema_name,
        "database": await sync_to_async(describe_binding)(),
        "other_thread": await sync_to_async(lambda: connection.schema_name, thread_sensitive=False)(),
        "handed_to_thread": await asyncio.to_thread(lambda: connection.schema_name),
        "cache": cache.make_key("x"),
        "file": default_storage.path("x").rsplit("/", 2)[1],
    }
    return JsonResponse(body)


def stream_binding(request):
    return StreamingHttpResponse(connection.schema_name for _ in range(2))


urlpatterns = [
    path("binding/", show_binding),
    path("stream/", stream_binding),
]


@pytest.fixture
def own_urls(settings):
    settings.ROOT_URLCONF = __name__


async def get_binding(host):
    # Past `get`, which sends its own host beside the one it is given.
    scope = {"path": "/binding/", "query_string": "", "headers": [(b"host", host.encode())]}
    return await AsyncClient().request(**scope)


def run_in_thread(function):
    results = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join()
    return results[0]


def describe_and_close():
    try:
        return describe_binding()
    finally:
        connection.close()


def count_path_changes(queries):
    return sum("SET search_path" in query["sql"] for query in queries)


def test_a_bound_tenant_is_where_the_database_looks_first(db, acme):
    with tenant_context(acme):
        inside = describe_binding()

    assert inside == BOUND_TO_ACME
    assert describe_binding() == UNBOUND


def test_nested_bindings_come_back_in_turn(db, acme, globex):
    seen = []
    with tenant_context(acme):
        with tenant_context(globex):
            seen.append(describe_binding())
        seen.append(describe_binding())

    assert seen == [BOUND_TO_GLOBEX, BOUND_TO_ACME]
    assert describe_binding() == UNBOUND


def test_a_tenant_itself_is_no_context_manager(db, acme):
    with (
        pytest.raises(TypeError, match=r"^`with tenant:` mixes threads up. Write `with tenant_context"),
        acme,
    ):
        pass

    assert connection.schema_name == "public"


def test_an_exception_gives_the_former_binding_back(db, acme, globex):
    with tenant_context(acme):
        with pytest.raises(ValueError, match="gone wrong"), tenant_context(globex):
            raise ValueError("gone wrong")

        assert describe_binding() == BOUND_TO_ACME
        assert get_current_tenant() == acme


def test_the_path_follows_after_a_savepoint_is_rolled_back(db, acme, globex):
    seen = []
    with tenant_context(acme):
        describe_binding()
        with transaction.atomic():
            connection.set_tenant(globex)
            seen.append(describe_binding())
            transaction.set_rollback(True)
        seen.append(describe_binding())
        connection.set_tenant(acme)
        seen.append(describe_binding())

    assert seen == [BOUND_TO_GLOBEX, BOUND_TO_GLOBEX, BOUND_TO_ACME]


def test_the_path_follows_after_a_transaction_is_rolled_back(acme, committed):
    def roll_back():
        with tenant_context(acme):
            with transaction.atomic():
                inside = describe_binding()
                transaction.set_rollback(True)
            return inside, describe_binding()

    assert committed(roll_back) == (BOUND_TO_ACME, BOUND_TO_ACME)


def test_the_path_follows_after_a_failed_statement(db, acme):
    with tenant_context(acme):
        with pytest.raises(DataError, match="division by zero"), transaction.atomic():
            connection.cursor().execute("SELECT 1/0")

        assert describe_binding() == BOUND_TO_ACME


def test_the_path_is_set_once_for_each_binding(db, acme, globex):
    with CaptureQueriesContext(connection) as queries:
        with tenant_context(acme):
            describe_binding()
            describe_binding()
        with tenant_context(globex):
            describe_binding()
            describe_binding()

    assert count_path_changes(queries) == 2


def test_a_connection_notices_that_the_context_changed_under_it(db, acme, globex):
    elsewhere = copy_context()
    elsewhere.run(connection.set_tenant, globex)
    connection.set_tenant(acme)

    seen = [describe_binding(), elsewhere.run(describe_binding), describe_binding()]

    assert seen == [BOUND_TO_ACME, BOUND_TO_GLOBEX, BOUND_TO_ACME]


def test_a_new_thread_is_unbound_and_binds_nobody_else(db, in_acme, globex):
    def bind_other():
        before = describe_binding()
        connection.set_tenant(globex)
        return before, describe_and_close()

    # An empty context: newer Pythons may hand the starter's own to a thread.
    seen = run_in_thread(lambda: Context().run(bind_other))

    assert seen == (UNBOUND, BOUND_TO_GLOBEX)
    assert describe_binding() == BOUND_TO_ACME


def test_a_new_connection_in_a_thread_that_carries_the_context_stays_bound(db, in_acme):
    carried = copy_context()

    seen = run_in_thread(lambda: carried.run(describe_and_close))

    assert seen == BOUND_TO_ACME


def test_an_async_view_sees_the_tenant_in_its_body_and_in_its_threads(acme, own_urls):
    response = async_to_sync(get_binding)("acme.localhost")

    assert response.json() == {
        "view": "acme",
        "tenant": "acme",
        "database": BOUND_TO_ACME,
        "other_thread": "acme",
        "handed_to_thread": "acme",
        "cache": "acme::1:x",
        "file": "acme",
    }
    assert describe_binding() == UNBOUND


def test_two_tenants_requests_at_once_do_not_mix(acme, globex, own_urls):
    async def ask_both():
        hosts = ["acme.localhost", "globex.localhost"] * 5
        return await asyncio.gather(*map(get_binding, hosts))

    answers = [response.json() for response in async_to_sync(ask_both)()]

    assert [answer["view"] for answer in answers] == ["acme", "globex"] * 5
    assert [answer["database"] for answer in answers] == [BOUND_TO_ACME, BOUND_TO_GLOBEX] * 5
    assert [answer["file"] for answer in answers] == ["acme", "globex"] * 5


def test_two_tenants_coroutines_interleaved_keep_their_own(acme, globex):
    async def work(tenant, turns):
        with tenant_context(tenant):
            seen = []
            for _ in range(turns):
                await asyncio.sleep(0)
                seen.append(connection.schema_name)
                seen.extend(await sync_to_async(describe_binding)())
            return set(seen)

    async def work_both():
        return await asyncio.gather(work(acme, 5), work(globex, 7))

    assert async_to_sync(work_both)() == [{"acme"}, {"globex"}]
    assert describe_binding() == UNBOUND


def test_a_streamed_body_is_made_with_the_tenant_bound_and_unbound_after(client, acme, own_urls):
    response = client.get("/stream/", headers={"host": "acme.localhost"})

    assert response.getvalue() == b"acmeacme"
    assert connection.schema_name == "public"


def test_a_cursor_on_the_server_reads_the_tenant_in_which_it_was_opened(acme, globex, column):
    chunks, seen = {}, []
    for tenant in (acme, globex):
        with tenant_context(tenant):
            get_user_model().objects.create_user(f"zoe@{tenant.subdomain}.example")

    for tenant in (acme, globex):
        with tenant_context(tenant):  # the cursor is the first that the database hears of it
            emails = get_user_model().objects.order_by("email").values_list("email", flat=True)
            chunks[tenant] = emails.iterator(chunk_size=1)
            seen.append(next(chunks[tenant]))
    open_cursors = column("SELECT name FROM pg_cursors WHERE name LIKE %s", "_django_curs_%")
    for tenant in (globex, acme):
        with tenant_context(tenant):
            seen += [*chunks[tenant], *describe_binding()]

    assert len(open_cursors) == 2
    assert seen[:2] == ["owner@acme.example", "owner@globex.example"]
    assert seen[2:] == ["zoe@globex.example", *BOUND_TO_GLOBEX, "zoe@acme.example", *BOUND_TO_ACME]


def test_a_bound_schema_alone_is_enough_to_find_the_tenant(db, acme):
    connection.set_schema("acme")

    assert get_current_tenant() == acme


def test_a_schema_without_a_tenant_is_refused(db):
    connection.set_schema("stray")

    with pytest.raises(NoTenantError, match="The schema 'stray' is bound, but no tenant has it"):
        get_current_tenant()


@pytest.mark.parametrize("read", [get_current_schema, get_current_tenant])
def test_nothing_bound_is_an_error_that_says_what_to_do(db, read):
    with pytest.raises(NoTenantError, match=r"Wrap the call in `with tenant_context\(tenant\):`"):
        read()
