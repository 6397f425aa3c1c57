import os
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.contrib.auth import get_user_model
from django.db import DatabaseError, connection, connections

from tenants.context import owner_rights, tenant_context
from tenants.postgresql import base
from tenants.postgresql.pool import is_from_pool, open_pool, without_pool
from tests.workers import PATIENCE

THREADS, ROUNDS = 6, 40
STATE = "SELECT current_setting('search_path'), current_user = session_user, current_setting('TimeZone')"
CLEAN = ('"$user", public', True, "UTC")


@pytest.fixture
def pooled(db):
    with open_pool() as connection:
        yield connection


def read_raw(pooled, query):
    pooled.ensure_connection()
    return pooled.connection.execute(query).fetchone()


def use(pooled, *statements):
    with pooled.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def share(pooled):
    other = connection.copy()
    other.settings_dict, other._connection_pools = pooled.settings_dict, pooled._connection_pools
    return other


def get_pid(pooled):
    return read_raw(pooled, "SELECT pg_backend_pid()")[0]


def test_a_session_that_is_given_back_is_as_new_for_a_raw_cursor(pooled, acme):
    with tenant_context(acme):
        use(pooled, "SELECT 1")
        while_bound = read_raw(pooled, STATE)
    first = get_pid(pooled)
    pooled.close()

    assert while_bound == ("acme, public, pg_temp", False, "UTC")
    assert read_raw(pooled, STATE) == CLEAN
    assert get_pid(pooled) == first


@pytest.mark.parametrize(
    ("leave", "look", "clean"),
    [
        ("CREATE TEMPORARY TABLE mine AS SELECT 'secret'", "SELECT to_regclass('pg_temp.mine')", None),
        ("SET app.tenant = 'acme'", "SELECT current_setting('app.tenant', true)", ""),
        ("SELECT pg_advisory_lock(42)", "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' "
         "AND pid = pg_backend_pid()", 0),
        ("SET statement_timeout = 1234", "SHOW statement_timeout", "0"),
        ("DECLARE mine CURSOR WITH HOLD FOR SELECT 'secret'", "SELECT count(*) FROM pg_cursors "
         "WHERE is_holdable", 0),
        ("PREPARE mine AS SELECT 'secret'", "SELECT count(*) FROM pg_prepared_statements", 0),
    ],
    ids=["table", "setting", "lock", "timeout", "cursor", "prepared"],
)  # fmt: skip
def test_nothing_that_a_session_can_keep_is_left_in_it(pooled, acme, leave, look, clean):
    with tenant_context(acme), owner_rights():  # a tenant's role takes no locks
        use(pooled, leave)
    pooled.close()

    assert read_raw(pooled, look) == (clean,)


def test_a_session_that_is_given_back_in_a_transaction_is_as_new(pooled, acme):
    with tenant_context(acme):
        pooled.set_autocommit(False)
        use(pooled, "CREATE TEMPORARY TABLE mine (); SET LOCAL app.tenant = 'acme'")
        pooled.connection._pool.putconn(pooled.connection)  # as Django does, which would refuse or roll back
        pooled.connection = None

    assert read_raw(pooled, STATE) == CLEAN
    assert read_raw(pooled, "SELECT to_regclass('pg_temp.mine')") == (None,)


def test_a_session_whose_reset_fails_is_not_given_to_anybody(db, acme):
    def fail(session):
        raise psycopg.OperationalError("reset failed")

    with open_pool(reset=fail) as pooled:
        with tenant_context(acme):
            use(pooled, "SELECT 1")
        first = get_pid(pooled)
        pooled.close()

        assert read_raw(pooled, STATE) == CLEAN
        assert get_pid(pooled) != first


def test_a_reset_of_ones_own_runs_before(db, acme):
    seen = []

    def note(session):
        seen.append(session.execute("SHOW search_path").fetchone()[0])

    with open_pool(reset=note) as pooled:
        with tenant_context(acme):
            use(pooled, "SELECT 1")
        pooled.close()

        assert read_raw(pooled, STATE) == CLEAN
    assert seen[0] == "acme, public, pg_temp"


def test_the_next_tenant_is_bound_in_the_same_session(pooled, acme, globex):
    seen = []
    for tenant in (acme, globex, acme):
        with tenant_context(tenant), pooled.cursor() as cursor:
            cursor.execute("SELECT current_schema(), current_user, pg_backend_pid()")
            seen.append(cursor.fetchone())
        pooled.close()

    assert [schema for schema, _, _ in seen] == ["acme", "globex", "acme"]
    assert [role.split("_", 2)[2] for _, role, _ in seen] == ["acme", "globex", "acme"]
    assert len({pid for _, _, pid in seen}) == 1


def test_statements_that_psycopg_prepared_go_on_working(db, acme):
    with open_pool() as pooled:
        pooled.settings_dict["OPTIONS"]["prepare_threshold"] = 0
        for _ in range(3):
            with tenant_context(acme), pooled.cursor() as cursor:
                cursor.execute("SELECT %s::int", [7])
                assert cursor.fetchone() == (7,)
            pooled.close()


def test_the_time_zone_is_djangos_after_each_reset(db):
    with open_pool() as pooled:
        pooled.settings_dict["TIME_ZONE"] = "Asia/Tokyo"
        zones = []
        for _ in range(2):
            zones.append(read_raw(pooled, "SHOW TimeZone")[0])
            pooled.close()

    assert zones == ["Asia/Tokyo"] * 2


def test_a_copy_has_a_session_of_its_own(pooled):
    pooled.ensure_connection()

    copy = pooled.copy()
    copy.ensure_connection()  # the pool has but one, and that is taken

    assert not is_from_pool(copy.connection)
    assert copy.pool is None
    copy.close()


def test_without_pool_sessions_are_new_ones_and_nothing_is_lost(pooled):
    pooled.ensure_connection()
    with without_pool():
        pooled.close()
        pooled.ensure_connection()
        inside = is_from_pool(pooled.connection)
    pooled.close()

    pooled.ensure_connection()

    assert not inside
    assert is_from_pool(pooled.connection)


def test_who_gets_no_session_in_time_is_told(db):
    with open_pool(timeout=1) as one:
        one.ensure_connection()
        other = share(one)

        with pytest.raises(DatabaseError, match=r"couldn't get a connection after 1\.00 sec"):
            other.ensure_connection()


def test_threads_of_two_tenants_in_a_small_pool_see_their_own_only(acme, globex):
    start = threading.Barrier(THREADS)

    def work(number, shared):
        mine = connections[connection.alias] = share(shared)
        start.wait(PATIENCE)
        faults = []
        for turn in range(ROUNDS):
            tenant = (acme, globex)[(number + turn) % 2]
            if (state := read_raw(mine, STATE)) != CLEAN:
                faults.append((turn, "raw", state))
            with tenant_context(tenant):
                emails = list(get_user_model().objects.values_list("email", flat=True))
                use(mine, "CREATE TEMPORARY TABLE mine AS SELECT current_user")
            if emails != [tenant.owner_email]:
                faults.append((turn, tenant.schema_name, emails))
            mine.close()
        return faults

    with open_pool(max_size=2, timeout=PATIENCE) as shared, ThreadPoolExecutor(THREADS) as pool:
        shared.ensure_connection()
        shared.close()
        futures = [pool.submit(work, number, shared) for number in range(THREADS)]

        assert [future.result(PATIENCE) for future in futures] == [[]] * THREADS


@pytest.mark.filterwarnings("ignore:This process")  # the child does nothing that could wait
def test_a_forked_process_leaves_the_pool_to_its_parent(pooled, monkeypatch):
    pooled.ensure_connection()
    monkeypatch.setattr(base.DatabaseWrapper, "_connection_pools", pooled._connection_pools)
    monkeypatch.setattr(connections, "all", lambda initialized_only: [pooled])

    child = os.fork()
    if child == 0:
        is_empty = not base.DatabaseWrapper._connection_pools and pooled.connection is None
        os._exit(0 if is_empty else 1)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert list(pooled._connection_pools) == [pooled.alias]
    assert read_raw(pooled, "SELECT 1") == (1,)
