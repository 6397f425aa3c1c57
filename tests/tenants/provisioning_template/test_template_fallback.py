import pytest
from django.contrib.auth.models import Group
from django.db import connection

from tenants.models import ProvisioningTemplate, Tenant
from tenants.provisioning.life_cycle import provision, register_tenant
from tenants.provisioning.template import TemplateError, get_template
from tests.registry import delete_tenant

from .catalogs import read_aspect

INSERT = "INSERT INTO notes_note (title, body, source, upload, created_at, updated_at) VALUES"
INITECH = {"name": "Initech", "subdomain": "initech", "owner_email": "bill@initech.example"}


@pytest.mark.parametrize(
    ("sql", "missing"),
    [
        ("CREATE VIEW titles AS SELECT title FROM notes_note", "-view titles"),
        ("CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'", "-function one()"),
        ("CREATE TABLE parts (a int) PARTITION BY LIST (a)", "-table parts"),
        ("CREATE TABLE child () INHERITS (notes_note)", "properties of child"),
        ("CREATE TYPE mood AS ENUM ('good')", "-type mood"),
        ("CREATE STATISTICS pair ON title, body FROM notes_note", "-statistics object pair"),
        ("CREATE POLICY all_rows ON notes_note", "-policy all_rows on notes_note"),
        ("ALTER TABLE notes_note ENABLE ROW LEVEL SECURITY", "-properties of notes_note r p t"),
        ("ALTER TABLE notes_note REPLICA IDENTITY FULL", "-properties of notes_note r p f f f"),
        ("CREATE RULE quiet AS ON DELETE TO notes_note DO INSTEAD NOTHING", "-rule quiet on"),
        (
            "CREATE TRIGGER same BEFORE UPDATE ON notes_note FOR EACH ROW"
            " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            "-trigger same on notes_note",
        ),
        ("GRANT SELECT (title) ON notes_note TO PUBLIC", "-properties of notes_note title"),
        ("ALTER TABLE notes_note ADD CHECK (id > 0) NOT VALID", "NOT VALID"),
        (
            "CREATE INDEX i ON notes_note (title); COMMENT ON INDEX i IS 'why'",
            "-comment on i why",
        ),
        (
            "CREATE TYPE mood AS ENUM ('good'); CREATE TABLE moods (a mood)",
            'A statement of the template fails: type "mood" does not exist',
        ),
        (
            f"{INSERT} ('', current_schema(), '', '', now(), now())",
            "Migrating twice gives two schemas:\n-INSERT INTO notes_note (id, key, title",
        ),
        (
            f"{INSERT} ('', gen_random_uuid(), '', '', now(), now())",
            "Migrating twice gives two schemas:\n-INSERT INTO notes_note (id, key, title",
        ),
    ],
)
def test_what_a_template_cannot_hold_is_migrated_and_said(
    add_migration, make, tables_of, warnings, sql, missing
):
    add_migration(sql=sql)

    make("odd")

    assert warnings()[0].startswith("odd is migrated, not made from the template. TemplateError: ")
    assert missing in warnings()[0]
    assert missing in ProvisioningTemplate.objects.get().fault
    assert set(tables_of("odd")) >= set(tables_of("acme"))


def test_a_fault_shows_no_value_of_a_row(add_migration, make, warnings):
    add_migration(sql=f"{INSERT} ('Secret', gen_random_uuid(), '', '', now(), now())")

    make("odd")

    assert "Secret" not in warnings()[0]
    assert "Secret" not in ProvisioningTemplate.objects.get().fault


def test_a_template_with_a_fault_is_not_made_again(add_migration, make, warnings):
    add_migration(sql="CREATE VIEW titles AS SELECT title FROM notes_note")
    make("first")
    made_at = ProvisioningTemplate.objects.get().made_at

    make("second")

    assert ProvisioningTemplate.objects.get().made_at == made_at
    assert warnings()[0].startswith("second is migrated")


def test_a_migration_that_asks_for_its_tenant_is_run_for_the_tenant_alone(add_migration, make, warnings):
    add_migration(operations="migrations.RunPython(ask_for_tenant)")
    tenant = register_tenant(**INITECH)

    provision(tenant)

    assert tenant.state == "active"
    assert "initech is migrated, not made from the template. NoTenantError: " in warnings()[0]


def test_a_migration_that_writes_its_schema_writes_each_tenants_own(add_migration, make, column):
    add_migration(operations="migrations.RunPython(write_schema)")

    make("initech")

    assert column("SELECT body FROM initech.notes_note") == ["initech"]


def test_a_tenant_that_has_the_templates_schema_keeps_it(make, make_tenant, column, warnings):
    ProvisioningTemplate.objects.all().delete()
    make_tenant("old", schema_name="template_tenant")
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA template_tenant; CREATE TABLE template_tenant.mine (a int)")

    make("initech")

    assert column("SELECT tablename FROM pg_tables WHERE schemaname = 'template_tenant'") == ["mine"]
    assert "A tenant has the schema 'template_tenant', which the template needs." in warnings()[0]


@pytest.mark.parametrize(
    ("statements", "reason"),
    [
        ("CREATE TABLE half (a int); SELECT 1/0", "DataError: division by zero"),
        ("CREATE TABLE half (a int)", "TemplateError: The replay of the template left 'initech' with other"),
        ("CREATE TABLE", "ProgrammingError: syntax error at end of input"),
    ],
)
def test_a_replay_that_fails_is_followed_by_migrating(make, twins, warnings, statements, reason):
    get_template()
    ProvisioningTemplate.objects.update(statements=statements)

    make("initech")

    assert f"initech is migrated, not made from the template. {reason}" in warnings()[0]
    assert read_aspect("tables", "initech") == read_aspect("tables", "migrated")


def test_a_session_that_dies_in_the_replay_is_followed_by_migrating(committed, tables_of, twins):
    committed(get_template)
    kept = list(ProvisioningTemplate.objects.values())
    tenant = committed(register_tenant, **INITECH)
    try:
        die = "CREATE TABLE half (a int); SELECT pg_terminate_backend(pg_backend_pid())"
        committed(ProvisioningTemplate.objects.all().update, statements=die)

        committed(provision, tenant)

        assert Tenant.objects.get(pk=tenant.pk).state == "active"
        assert tables_of("initech") == tables_of("migrated")
    finally:
        committed(ProvisioningTemplate.objects.all().update, statements=kept[0]["statements"])
        committed(delete_tenant, tenant)


def test_a_schema_whose_name_ends_others_is_replayed(make, warnings):
    make("t")  # which is how many a name ends, such as django_tasks_db_dbtaskresult

    assert warnings() == []


def test_the_switch_turns_the_template_off(make, settings, twins, warnings):
    ProvisioningTemplate.objects.update(statements="SELECT 1/0")
    settings.TENANT_PROVISIONING = {"TEMPLATE": False}

    make("initech")

    assert warnings() == []
    assert read_aspect("tables", "initech") == read_aspect("tables", "migrated")


def test_the_template_is_used_without_the_setting(make, settings, warnings):
    del settings.TENANT_PROVISIONING
    get_template()
    ProvisioningTemplate.objects.update(statements="SELECT 1/0")

    make("initech")

    assert "DataError: division by zero" in warnings()[0]


def test_a_missing_table_of_the_tenant_is_never_publics(db, make):
    get_template()
    ProvisioningTemplate.objects.update(statements="INSERT INTO auth_group (name) VALUES ('crossed')")

    make("initech")

    assert not Group.objects.filter(name="crossed").exists()


def test_the_fault_is_an_error_to_who_asks_for_the_template(db, make):
    get_template()
    ProvisioningTemplate.objects.update(fault="-view titles")

    with pytest.raises(TemplateError, match=r"^-view titles$"):
        get_template()
