import pytest
from django.core.management import CommandError, call_command, get_commands, load_command_class
from django.core.management.commands import migrate as djangos_migrate
from django.db import connection

from apps.operations.fleet.locks import hold_fleet
from tenants.context import tenant_context
from tenants.locks import Lock, count_held
from tests.models_app.models import Note


@pytest.fixture
def migrate(db):
    return lambda *args, **options: call_command("migrate_schemas", *args, verbosity=0, **options)


@pytest.fixture
def unmigrated_acme(acme, migrate):
    migrate("notes", "zero", schema_name="acme")
    return acme


def has_notes(tables):
    return {"notes_note", "notes_noteembedding"} <= set(tables)


def test_one_schema_is_migrated_and_no_other_is_touched(unmigrated_acme, globex, migrate, tables_of):
    before = tables_of("acme")

    migrate(schema_name="acme")

    assert not has_notes(before)
    assert has_notes(tables_of("acme"))


def test_an_unapplied_migration_takes_no_other_tenants_tables(unmigrated_acme, tables_of):
    assert not has_notes(tables_of("acme"))
    assert has_notes(tables_of("globex"))


def test_a_tenants_rows_are_its_own_after_a_migration(unmigrated_acme, globex, migrate):
    with tenant_context(globex):
        Note.objects.create(title="Kept", body="in globex")

    migrate(schema_name="acme")

    with tenant_context(unmigrated_acme):
        assert not Note.objects.exists()
    with tenant_context(globex):
        assert Note.objects.get().title == "Kept"


def test_tenant_migrates_every_tenant(unmigrated_acme, globex, migrate, tables_of):
    migrate("notes", "zero", schema_name="globex")

    migrate(tenant=True)

    assert has_notes(tables_of("acme"))
    assert has_notes(tables_of("globex"))


def test_a_tenant_that_has_no_schema_yet_does_not_stop_the_others(
    unmigrated_acme, make_tenant, migrate, tables_of
):
    make_tenant("aaa", state="failed")

    migrate(tenant=True)

    assert has_notes(tables_of("acme"))
    assert tables_of("aaa") == []


def test_shared_migrates_public_only(unmigrated_acme, migrate, tables_of):
    migrate("admin", "zero", shared=True)
    before = tables_of("public")

    migrate(shared=True)

    assert "django_admin_log" not in before
    assert "django_admin_log" in tables_of("public")
    assert not has_notes(tables_of("acme"))


def test_without_a_switch_public_and_every_tenant_are_migrated(unmigrated_acme, migrate, tables_of):
    migrate("admin", "zero", shared=True)

    migrate()

    assert "django_admin_log" in tables_of("public")
    assert has_notes(tables_of("acme"))


def test_migrating_twice_changes_nothing(acme, migrate, column):
    applied = "SELECT app || '.' || name || applied FROM acme.django_migrations"
    before = column(applied)

    migrate()

    assert column(applied) == before
    assert connection.schema_name == "public"


def test_plain_migrate_does_the_same(unmigrated_acme, globex, tables_of, capsys):
    call_command("migrate")

    assert has_notes(tables_of("acme"))
    out = capsys.readouterr().out
    assert "acme: migrated in" in out
    assert "1 migrated, 0 failed, 0 not begun." in out
    assert "standard:globex" not in out  # which does not lag
    call_command("migrate", verbosity=1)
    assert "No tenant lags" in capsys.readouterr().out


def test_one_run_can_follow_another_before_its_session_has_ended(other_session, monkeypatch):
    monkeypatch.setattr(connection, "copy", lambda: other_session)
    monkeypatch.setattr(other_session, "close", lambda: None)

    with hold_fleet(connection):
        assert count_held(Lock.FLEET) == 1

    assert count_held(Lock.FLEET) == 0
    monkeypatch.undo()


def test_plain_migrate_takes_an_app_and_a_migration(acme, globex, tables_of):
    call_command("migrate", "notes", "zero", verbosity=0)
    unapplied = [has_notes(tables_of(schema)) for schema in ("acme", "globex")]
    call_command("migrate", "notes", verbosity=0)

    assert unapplied == [False, False]
    assert has_notes(tables_of("acme"))
    assert has_notes(tables_of("globex"))


def test_plain_migrate_takes_all_options_of_djangos_and_of_ours():
    options = {}
    for name, app in {"migrate": "tenants", "migrate_schemas": get_commands()["migrate_schemas"]}.items():
        options[name] = set(load_command_class(app, name).create_parser("", name)._option_string_actions)

    djangos = set(djangos_migrate.Command().create_parser("", "migrate")._option_string_actions)
    assert djangos | options["migrate_schemas"] <= options["migrate"]


def test_plain_migrate_names_the_tenants_that_lag(unmigrated_acme, globex, capsys):
    with pytest.raises(SystemExit) as end:
        call_command("migrate", check_unapplied=True)

    assert end.value.code == 1
    assert "acme" in capsys.readouterr().out


def test_plain_migrate_refuses_a_database_that_is_not_there(db):
    with pytest.raises(CommandError, match=r"--database: there is no 'nowhere'\. There are: default\."):
        call_command("migrate", database="nowhere")


def test_a_schema_that_is_not_there_is_an_error(migrate):
    with pytest.raises(CommandError, match="--schema: there is no schema 'nobody'"):
        migrate(schema_name="nobody")


def test_shared_with_a_schema_is_an_error(migrate):
    with pytest.raises(CommandError, match="schema should only be used with the --tenant switch"):
        migrate(schema_name="acme", shared=True)


def test_the_command_line_takes_the_documented_switches(unmigrated_acme, tables_of):
    call_command("migrate_schemas", "--tenant", "--schema=acme", "--executor=standard", "--verbosity=0")

    assert has_notes(tables_of("acme"))
