import threading

import pytest
from django.core.management import CommandError
from django.db import connection

from apps.operations.fleet import migrator
from apps.operations.fleet.files import MigrationFiles
from apps.operations.fleet.migrator import TenantMigrator
from tenants.locks import Lock, session_lock

EXISTS = 'notes.0001_initial: ProgrammingError (42P07): relation "notes_note" already exists'


def release_after_a_timeout(fleet, schema, release):
    fleet.wait_until(schema, is_awaited=True)
    fleet.wait_until(schema, is_awaited=False)
    release()


def fail(fleet, *args):
    with pytest.raises(CommandError) as caught:
        fleet.run("--tenant", *args)
    return caught.value, str(caught.value).splitlines()


def migrate_without_schema():
    migrator = TenantMigrator(
        {"database": "default"}, MigrationFiles(), lock_timeout=1000, retries=0, stopping=threading.Event()
    )
    return migrator.migrate("nowhere")


def hold(fleet, space, name):
    with session_lock(space, name):
        return fail(fleet)


def test_when_the_canary_fails_nothing_else_is_begun(fleet):
    fleet.unapply("f1", "f2", "f3")

    with fleet.spoiled("f1"):
        error, lines = fail(fleet)
        migrated = fleet.migrated()

    assert error.returncode == 1
    assert lines[:3] == [
        "0 migrated, 1 failed, 2 not begun.",
        f"  f1: {EXISTS}",
        "Not begun, because the canary f1 failed: f2, f3",
    ]
    assert migrated == ["f4"]


def test_a_failing_tenant_stops_no_other_and_the_next_run_does_what_is_left(fleet):
    fleet.unapply("f1", "f2", "f3")

    with fleet.spoiled("f2"):
        error, lines = fail(fleet)
        migrated = fleet.migrated()
    again = fleet.run("--tenant")

    assert error.returncode == 1
    assert lines[:2] == ["2 migrated, 1 failed, 0 not begun.", f"  f2: {EXISTS}"]
    assert migrated == ["f1", "f3", "f4"]
    assert "[1/1] f2: migrated" in again


def test_a_failed_migration_leaves_nothing_in_the_tenant(fleet):
    fleet.unapply("f2")

    with fleet.spoiled("f2"):
        fail(fleet)
        left = fleet.sql("SELECT 1 FROM f2.django_migrations WHERE app = 'notes'")

    assert left == []


def test_no_tenant_is_begun_once_the_budget_is_spent(fleet):
    fleet.unapply("f1", "f2", "f3", "f4")

    with fleet.spoiled("f2"):
        _, lines = fail(fleet, "--max-failures=1", "--parallel=1")

    assert lines[0] == "1 migrated, 1 failed, 2 not begun."
    assert "Not begun, because 1 failed (--max-failures): f3, f4" in lines


def test_a_busy_table_fails_its_tenant_after_the_lock_timeout(fleet):
    fleet.unapply("f1", "f2")

    with fleet.busy("f2"):
        _, lines = fail(fleet, "--lock-timeout=0.1", "--retries=0")

    assert lines[1] == (
        "  f2: notes.0001_initial: OperationalError (55P03): canceling statement due to lock timeout"
    )
    assert "f1" in fleet.migrated()


def test_a_lock_timeout_is_tried_again(fleet, monkeypatch):
    monkeypatch.setattr(migrator, "BACK_OFF", 0.5)
    fleet.unapply("f2")

    with fleet.busy("f2") as release:
        threading.Thread(target=release_after_a_timeout, args=(fleet, "f2", release)).start()
        output = fleet.run("--tenant", "--lock-timeout=1", "--retries=9")

    assert "f2: migrated" in output
    assert "(attempt " in output


def test_a_second_run_is_turned_away(fleet):
    fleet.unapply("f1")

    with fleet.connect() as session:
        session.execute("SELECT pg_advisory_lock(%s, 0)", [Lock.FLEET])
        error, _ = fail(fleet)

    assert str(error).startswith("Another migrate_schemas is at work on this database.")
    assert "f1" not in fleet.migrated()


def test_a_tenant_that_is_being_deleted_is_not_touched(fleet):
    fleet.unapply("f1")

    _, lines = fleet.call(hold, fleet, Lock.LIFE_CYCLE, "f1")

    assert lines[1].startswith("  f1: BusyError: The tenant 'f1' is being created, deleted or migrated")
    assert "f1" not in fleet.migrated()


def test_a_schema_that_vanished_is_a_failure_and_makes_no_table_in_public(fleet):
    result = fleet.call(migrate_without_schema)

    assert result.failure == "BusyError: The schema 'nowhere' was deleted meanwhile."
    assert fleet.sql("SELECT 1 FROM pg_tables WHERE tablename = 'notes_note' AND schemaname = 'public'") == []


def test_a_failure_says_where_and_not_what_the_tenants_data_are(fleet, settings):
    settings.MIGRATION_MODULES = {"notes": "tests.operations.fleet.unfit.migrations"}
    fleet.sql(
        "INSERT INTO f2.notes_note (title, body, source, upload, created_at, updated_at) "
        "VALUES ('Secret plan', '', '', '', now(), now())"
    )

    error, lines = fail(fleet)

    assert lines[1] == "  f2: notes.0002_complain: ValueError at unfit/migrations/0002_complain.py:6"
    assert "Secret" not in str(error)
    fleet.sql("DELETE FROM f2.notes_note")
    for schema in ("f1", "f3", "f4"):
        fleet.sql(f"DELETE FROM {schema}.django_migrations WHERE name = '0002_complain'")


@pytest.mark.parametrize(
    ("statement", "described"),
    [
        ("SELECT title::int FROM (VALUES ('Secret')) t (title)", "DataError (22P02)"),
        (
            "CREATE TEMP TABLE t (title text UNIQUE); INSERT INTO t VALUES ('Secret'), ('Secret')",
            'IntegrityError (23505): duplicate key value violates unique constraint "t_title_key"',
        ),
    ],
)
def test_no_value_of_a_row_is_in_the_description_of_a_database_error(fleet, statement, described):
    assert fleet.call(_describe, statement) == described


def _describe(statement):
    from django.db import Error

    from apps.operations.fleet.failures import describe

    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    except Error as error:
        return describe(error)
