import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from .conftest import SCHEMAS

RIGHTS = """
    SELECT c.model, p.codename
    FROM {0}.auth_permission p JOIN {0}.django_content_type c ON c.id = content_type_id
    WHERE c.app_label = 'notes' ORDER BY 1, 2
"""


def capture(*args):
    with CaptureQueriesContext(connection) as captured:
        call_command("migrate_schemas", *args, verbosity=0)
    return [query["sql"] for query in captured]


def test_only_the_lagging_tenants_are_migrated(fleet):
    fleet.unapply("f2", "f3")

    output = fleet.run("--tenant")

    assert fleet.migrated() == list(SCHEMAS)
    assert "[2/2] f3: migrated in " in output or "[2/2] f2: migrated in " in output
    assert "f1" not in output
    assert "2 migrated, 0 failed, 0 not begun." in output


def test_each_tenant_gets_content_types_and_permissions_of_its_own(fleet):
    wanted = fleet.sql(RIGHTS.format("f4"))
    fleet.unapply("f1", "f2", "f3")
    fleet.sql("SELECT setval('f2.django_content_type_id_seq', 1000)")

    fleet.run("--tenant", "--parallel=3")

    assert len(wanted) == 8
    assert [fleet.sql(RIGHTS.format(schema)) for schema in ("f1", "f2", "f3")] == [wanted] * 3


def test_public_is_migrated_first_and_nobody_lags_then(fleet):
    assert "No tenant lags; 4 looked at." in fleet.run()


def test_a_run_with_nothing_to_do_asks_one_question_of_all_tenants(fleet):
    queries = fleet.call(capture, "--tenant")

    about_tenants = [sql for sql in queries if '"f1"' in sql]
    assert len(about_tenants) == 1
    assert all(f'"{schema}".django_migrations' in about_tenants[0] for schema in SCHEMAS)
    assert not [sql for sql in queries if sql.startswith(("BEGIN", "SAVEPOINT"))]
    assert len(queries) < 8


def test_rows_of_apps_that_are_gone_are_no_lag(fleet):
    fleet.sql("INSERT INTO f1.django_migrations (app, name, applied) VALUES ('gone', '0001_initial', now())")

    assert "No tenant lags" in fleet.run("--tenant")


def test_a_migration_of_a_shared_app_is_no_lag_of_a_tenant(fleet):
    fleet.sql("DELETE FROM f1.django_migrations WHERE app = 'tenants'")

    assert "No tenant lags" in fleet.run("--tenant")


def test_a_plan_is_shown_once_for_all_that_share_it_and_nothing_changes(fleet):
    fleet.unapply("f2", "f3")

    output = fleet.run("--tenant", "--plan")

    assert "Planned operations in 2 of 4 tenants: f2, f3" in output
    assert output.count("notes.0001_initial") == 1
    assert "    Create model Note" in output
    assert fleet.migrated() == ["f1", "f4"]


def test_check_names_who_lags_with_exit_code_1(fleet):
    fleet.unapply("f2")

    with pytest.raises(SystemExit) as exited:
        fleet.run("--tenant", "--check")

    assert exited.value.code == 1
    assert fleet.migrated() == ["f1", "f3", "f4"]


def test_check_passes_when_nobody_lags(fleet):
    assert "No tenant lags" in fleet.run("--tenant", "--check")


def test_schema_migrates_one_tenant(fleet):
    fleet.unapply("f2", "f3")

    fleet.run("--schema=f3", "--verbosity=0")

    assert fleet.migrated() == ["f1", "f3", "f4"]


def test_a_target_migrates_all_backwards_and_forwards(fleet):
    fleet.run("notes", "zero", "--tenant")
    backwards = fleet.migrated()

    output = fleet.run("notes", "0001", "--tenant")

    assert backwards == []
    assert fleet.migrated() == list(SCHEMAS)
    assert "4 migrated" in output


def test_fake_records_and_makes_no_table(fleet):
    fleet.unapply("f2")

    fleet.run("--tenant", "--fake")

    assert fleet.migrated() == ["f1", "f3", "f4"]
    assert "No tenant lags" in fleet.run("--tenant")
    fleet.sql("DELETE FROM f2.django_migrations WHERE app = 'notes'")


def test_prune_visits_tenants_that_do_not_lag(fleet):
    fleet.sql("INSERT INTO f1.django_migrations (app, name, applied) VALUES ('notes', '0000_gone', now())")

    fleet.run("notes", "--tenant", "--prune")

    assert fleet.sql("SELECT name FROM f1.django_migrations WHERE app = 'notes' ORDER BY name") == [
        ("0001_initial",),
        ("0002_keep_vectors_in_their_rows",),
    ]


@pytest.mark.parametrize("state", ["provisioning", "failed"])
def test_a_tenant_that_is_not_provisioned_is_passed_over_and_named(fleet, state):
    fleet.unapply("f1", "f2")
    fleet.sql("UPDATE tenants_tenant SET state = %s WHERE schema_name = 'f1'", state)

    output = fleet.run("--tenant")

    assert f"Passed over, because its state is '{state}': f1" in output
    assert fleet.migrated() == ["f2", "f3", "f4"]
    fleet.sql("UPDATE tenants_tenant SET state = 'active'")


def test_a_tenant_whose_schema_is_gone_is_passed_over_and_named(fleet):
    fleet.sql("ALTER SCHEMA f2 RENAME TO elsewhere")

    output = fleet.run("--tenant")

    fleet.sql("ALTER SCHEMA elsewhere RENAME TO f2")
    assert "Passed over, because it has no schema: f2" in output


def test_a_suspended_tenant_is_migrated(fleet):
    fleet.unapply("f1")
    fleet.sql("UPDATE tenants_tenant SET state = 'suspended' WHERE schema_name = 'f1'")

    fleet.run("--tenant")

    fleet.sql("UPDATE tenants_tenant SET state = 'active'")
    assert "f1" in fleet.migrated()


def test_the_canary_goes_first(fleet):
    fleet.unapply("f1", "f2", "f3")

    assert "[1/3] f3: migrated" in fleet.run("--tenant", "--canary=f3")


def test_a_canary_that_is_done_lets_the_first_lagging_tenant_go_first(fleet):
    fleet.unapply("f2", "f3")

    output = fleet.run("--tenant", "--canary=f1")

    assert "The canary f1 lags no longer; f2 goes first." in output
    assert "[1/2] f2: migrated" in output


def test_an_unknown_canary_is_an_error(fleet):
    fleet.unapply("f1")

    with pytest.raises(
        CommandError, match="--canary: 'nobody' is the schema of no tenant that can be migrated"
    ):
        fleet.run("--tenant", "--canary=nobody")


def test_an_explicit_executor_is_django_tenants_own(fleet, capfd):
    fleet.unapply("f2")

    fleet.run("--tenant", "--executor=standard")

    assert "=== Starting migration" in capfd.readouterr().out
    assert fleet.migrated() == list(SCHEMAS)


@pytest.mark.parametrize(
    ("option", "fault"),
    [
        ("--parallel=0", "must be a whole number of at least 1, not '0'."),
        ("--retries=-1", "must be a whole number of at least 0, not '-1'."),
        ("--max-failures=x", "must be a whole number of at least 1, not 'x'."),
        ("--lock-timeout=nan", "must be a number of seconds from 0 to 86400, not 'nan'."),
    ],
)
def test_a_bad_number_is_an_error_that_names_the_option(fleet, option, fault):
    with pytest.raises(CommandError, match=f"argument {option.partition('=')[0]}: {fault}"):
        fleet.run(option)


def test_an_unknown_app_or_migration_is_an_error(fleet):
    with pytest.raises(CommandError, match="App 'nothing' is not installed or does not have migrations"):
        fleet.run("nothing", "--tenant")
    with pytest.raises(CommandError, match="No migration matches '9' in app 'notes'"):
        fleet.run("notes", "9", "--tenant")
