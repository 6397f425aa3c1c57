from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, connection, transaction
from django.http import JsonResponse
from django.test import RequestFactory
from django.urls import path

from tenants.context import tenant_context

from .tasks import describe_binding


def show_binding(request):
    return JsonResponse({"binding": describe_binding()})


urlpatterns = [path("", show_binding)]


@pytest.fixture
def in_session(db, settings):
    """Call a function in a thread with a session of its own, outside of any transaction."""
    settings.ROOT_URLCONF = __name__
    settings.TENANT_SCHEMAS_PER_CONNECTION = 1
    with ThreadPoolExecutor(1) as thread:
        yield lambda function: thread.submit(function).result(timeout=120)
        thread.submit(lambda: connection.close())


def get_pid():
    connection.ensure_connection()
    return connection.connection.info.backend_pid


def visit(*tenants):
    for tenant in tenants:
        with tenant_context(tenant):
            assert describe_binding() == [tenant.schema_name] * 2


def visit_and_end(*tenants):
    """Return the session's process before and after the tenants are visited and the request or task ends."""
    before = get_pid()
    visit(*tenants)
    close_old_connections()
    return before, get_pid()


def ask(host):
    body = get_wsgi_application()(
        RequestFactory().get("/", headers={"host": host}).environ, lambda *args: None
    )
    answer = b"".join(body)
    body.close()
    return answer


def test_a_session_is_closed_after_too_many_schemas(acme, globex, in_session):
    before, after = in_session(lambda: visit_and_end(acme, globex))
    kept, still = in_session(lambda: visit_and_end(acme))

    assert before != after
    assert kept == still == after


def test_the_same_schema_counts_once(acme, in_session):
    before, after = in_session(lambda: visit_and_end(*[acme] * 10))

    assert before == after


def test_zero_keeps_the_session(acme, globex, in_session, settings):
    settings.TENANT_SCHEMAS_PER_CONNECTION = 0

    before, after = in_session(lambda: visit_and_end(acme, globex))

    assert before == after


def test_a_session_is_not_closed_within_a_transaction(acme, globex, in_session):
    def work():
        before = get_pid()
        with transaction.atomic():
            visit(acme, globex, acme)
            inside = get_pid()
        return before, inside

    before, inside = in_session(work)

    assert before == inside


def test_requests_of_many_tenants_are_each_answered_in_their_own(acme, globex, in_session):
    def ask_in_turn():
        return [(ask(f"{schema}.localhost"), get_pid()) for schema in ["acme", "globex"] * 6]

    answers = in_session(ask_in_turn)

    bodies = [body for body, _ in answers]
    assert bodies == [b'{"binding": ["acme", "acme"]}', b'{"binding": ["globex", "globex"]}'] * 6
    assert 1 < len({pid for _, pid in answers}) < len(answers)


def test_a_pool_does_not_take_such_a_session_back(acme, globex, in_session):
    def work():
        pooled = connection.copy()
        pooled.settings_dict |= {"CONN_MAX_AGE": 0}
        pooled.settings_dict["OPTIONS"] |= {"pool": {"min_size": 1, "max_size": 1}}
        try:
            return [use(pooled, tenant) for tenant in (acme, globex, acme, globex)]
        finally:
            pooled.close()
            pooled.close_pool()

    def use(pooled, tenant):
        with tenant_context(tenant), pooled.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid(), current_schema()")
            pid, schema = cursor.fetchone()
        pooled.close_at = None  # so that it is not simply given back
        pooled.close_if_unusable_or_obsolete()
        pooled.close()
        assert schema == tenant.schema_name
        return pid

    pids = in_session(work)

    assert len(set(pids)) == 2
    assert pids == sorted(pids, key=pids.index)
