import pytest
from django.contrib.auth import get_user_model
from django.db import OperationalError, connection, transaction
from django_tasks_db.models import DBTaskResult

from tenants.context import owner_rights, tenant_context, unbound
from tenants.locks import Lock, find_held, get_key
from tests.models_app.models import Note

from . import tasks

TEMPORARY = "SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema()"
LEAVINGS = [
    ("SET lock_timeout = '1min'", "SHOW lock_timeout", "1min", "0"),
    ("SET default_transaction_read_only = on", "SHOW default_transaction_read_only", "on", "off"),
    ("SET TimeZone = 'Asia/Tokyo'", "SHOW TimeZone", "Asia/Tokyo", "UTC"),
    ("SET my.own = 'x'", "SELECT current_setting('my.own', true)", "x", ""),
    ("CREATE TEMPORARY TABLE notes_note (id int)", TEMPORARY, 1, 0),
    ("LISTEN anything", "SELECT count(*) FROM pg_listening_channels()", 1, 0),
]


def run(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0] if cursor.description else None


@pytest.fixture
def alone(acme, globex, committed):
    """Run a function in a session of its own, where each statement is committed."""
    return committed


@pytest.mark.parametrize(("leave", "look", "left", "clean"), LEAVINGS)
def test_the_next_tenant_finds_nothing_of_the_last_one(alone, acme, globex, leave, look, left, clean):
    def visit():
        with tenant_context(acme):
            run(leave)
            seen = [run(look)]
        with tenant_context(globex):
            return [*seen, run(look)]

    assert alone(visit) == [left, clean]


@pytest.mark.parametrize(("leave", "look", "left", "clean"), LEAVINGS)
def test_nor_does_a_request_or_task_without_a_tenant(alone, acme, leave, look, left, clean):
    def visit():
        with tenant_context(acme):
            run(leave)
        within = run(look)  # what a tenant's request reads in public keeps its settings
        connection.close_if_unusable_or_obsolete()
        return [within, run(look)]

    assert alone(visit) == [left, clean]


def test_the_owners_rights_do_not_reset_a_tenants_session(alone, acme):
    def visit():
        with tenant_context(acme):
            run("SET lock_timeout = '1min'")
            with owner_rights():
                run("SELECT 1")
            with unbound():
                run("SELECT 1")
            return run("SHOW lock_timeout")

    assert alone(visit) == "1min"


def test_a_lock_that_a_tenant_kept_is_given_back(acme, globex):
    run("GRANT EXECUTE ON FUNCTION pg_advisory_lock(int, int) TO PUBLIC")  # as where no superuser helps
    with tenant_context(acme):
        run(f"SELECT pg_advisory_lock({Lock.ISOLATION:d}, {get_key('kept')})")
        kept = find_held(Lock.ISOLATION, ["kept"])
    with tenant_context(globex):
        left = find_held(Lock.ISOLATION, ["kept"])

    assert (kept, left) == ({"kept"}, set())


def test_a_temporary_table_does_not_take_the_place_of_a_real_one(acme, globex):
    with tenant_context(acme):
        Note.objects.create(title="Real", body="x")
        run("CREATE TEMPORARY TABLE notes_note AS SELECT * FROM notes_note WHERE false")
        titles = list(Note.objects.values_list("title", flat=True))
        with owner_rights():
            titles += Note.objects.values_list("title", flat=True)

    assert titles == ["Real", "Real"]


def test_a_tenant_does_not_shadow_the_registry_or_the_accounts(acme):
    with tenant_context(acme):
        run("CREATE TEMPORARY TABLE tenants_tenant AS SELECT 'globex' AS schema_name")
        run("CREATE TEMPORARY TABLE accounts_user AS SELECT 1 AS id, 'x' AS email")
        with unbound():
            assert not get_user_model().objects.filter(email="x").exists()
            acme.refresh_from_db()

    assert acme.schema_name == "acme"


def test_a_reset_that_is_rolled_back_is_done_again(alone, acme, globex):
    def visit():
        with tenant_context(acme):
            run("SET statement_timeout = '1min'")
        with tenant_context(globex):
            with transaction.atomic():
                during = run("SHOW statement_timeout")
                transaction.set_rollback(True)
            return [during, run("SHOW statement_timeout")]

    assert alone(visit) == ["0", "0"]


def test_so_is_one_that_is_rolled_back_to_a_savepoint(alone, acme, globex):
    def visit():
        with transaction.atomic():
            with tenant_context(acme):
                run("SET statement_timeout = '1min'")
            with tenant_context(globex):
                with transaction.atomic():
                    run("SHOW statement_timeout")
                    transaction.set_rollback(True)
                return run("SHOW statement_timeout")

    assert alone(visit) == "0"


def test_a_later_savepoint_that_is_rolled_back_takes_no_temporary_table_along(alone, acme, globex):
    def visit():
        with tenant_context(acme):
            run("SELECT 1")
        with tenant_context(globex), transaction.atomic():
            run("CREATE TEMPORARY TABLE stage (id int)")  # after a reset, which is part of the transaction
            with transaction.atomic():
                transaction.set_rollback(True)
            return run(TEMPORARY)

    assert alone(visit) == 1


def test_the_reset_takes_no_round_trip_of_its_own(alone, acme, globex, django_assert_num_queries):
    def visit():
        with tenant_context(acme):
            run("SET statement_timeout = '1min'")
        with tenant_context(globex), django_assert_num_queries(2):
            return run("SHOW statement_timeout")

    assert alone(visit) == "0"


@pytest.mark.parametrize("setting", ["default_transaction_read_only = on", "statement_timeout = 1"])
def test_a_task_does_not_keep_the_worker_from_its_next_one(acme, globex, alone, run_tasks, setting):
    def work():
        with tenant_context(acme):
            ids = [tasks.run_statement.enqueue(f"SET {setting}").id]
        with tenant_context(globex):
            ids.append(tasks.report_binding.enqueue().id)
        try:
            run_tasks()
            return [DBTaskResult.objects.get(pk=pk).status for pk in ids]
        finally:
            DBTaskResult.objects.filter(pk__in=ids).delete()

    assert alone(work) == ["SUCCESSFUL", "SUCCESSFUL"]


def test_a_tenants_own_settings_still_hold_within_its_request(alone, acme):
    def visit():
        with tenant_context(acme):
            run("SET statement_timeout = 1")
            with pytest.raises(OperationalError, match="statement timeout"):
                run("SELECT pg_sleep(5)")
            connection.close()

    alone(visit)
