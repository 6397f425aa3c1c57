from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from tenants.models import ProvisioningTemplate
from tenants.provisioning.life_cycle import choose_schema_name, provision, register_tenant
from tenants.provisioning.template import get_template
from tenants.provisioning.template.fingerprint import get_fingerprint
from tenants.validators import validate_schema_name
from tests.registry import delete_tenant

from .catalogs import read_aspect

INITECH = {"name": "Initech", "subdomain": "initech", "owner_email": "bill@initech.example"}
HOOLI = {"name": "Hooli", "subdomain": "hooli", "owner_email": "gavin@hooli.example"}


def test_a_new_migration_makes_a_new_template(add_migration, make, column):
    make("before")
    before = ProvisioningTemplate.objects.get()
    add_migration(sql="ALTER TABLE notes_note ADD COLUMN subtitle text")

    make("after")

    columns = (
        "SELECT table_schema FROM information_schema.columns"
        " WHERE column_name = 'subtitle' AND table_name = 'notes_note'"
    )
    assert column(columns) == ["after"]
    assert column("SELECT name FROM after.django_migrations WHERE app = 'notes'") == [
        "0001_initial",
        "0002_keep_vectors_in_their_rows",
        "1000_more",
    ]
    after = ProvisioningTemplate.objects.get()
    assert (after.fingerprint == before.fingerprint, after.fault) == (False, "")


def test_a_migration_that_was_edited_makes_a_new_template(add_migration, make, column):
    add_migration(sql="ALTER TABLE notes_note ADD COLUMN subtitle text")
    make("before")
    add_migration(sql="ALTER TABLE notes_note ADD COLUMN summary text")

    make("after")

    names = column(
        "SELECT column_name FROM information_schema.columns"
        " WHERE table_schema = 'after' AND table_name = 'notes_note'"
    )
    assert "summary" in names
    assert "subtitle" not in names


@pytest.mark.parametrize(
    ("name", "value"), [("TENANT_APPS", ["tests.models_app"]), ("AUTH_USER_MODEL", "auth.User")]
)
def test_settings_that_migrations_depend_on_make_a_new_template(db, settings, name, value):
    before = get_fingerprint()

    setattr(settings, name, value)

    assert get_fingerprint() != before


def test_the_template_is_made_once_and_leaves_no_schema(make, schemas):
    make("first")
    made_at = ProvisioningTemplate.objects.get().made_at

    make("second")

    assert ProvisioningTemplate.objects.get().made_at == made_at
    assert [name for name in schemas() if "template" in name] == []


def test_what_a_killed_process_left_of_a_template_is_dropped(db, make, schemas, warnings):
    ProvisioningTemplate.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA template_tenant; CREATE SCHEMA template_tenant_copy")
        cursor.execute("CREATE TABLE template_tenant.django_migrations (a int)")

    make("initech")

    assert ProvisioningTemplate.objects.get().fault == ""
    assert [name for name in schemas() if "template" in name] == []
    assert warnings() == []


@pytest.mark.parametrize("point", ["CREATE SCHEMA", "CREATE TABLE", "WITH members", "SET LOCAL search_path"])
def test_a_crash_in_the_middle_leaves_no_schema_and_a_retry_works(db, stop_at, schemas, twins, point):
    get_template()
    tenant = register_tenant(**INITECH)
    with pytest.raises(KeyboardInterrupt), stop_at(point):
        provision(tenant)
    after_crash = ("initech" in schemas(), tenant.state, tenant.domains.count())

    provision(tenant)

    assert after_crash == (False, "provisioning", 0)
    assert (tenant.state, tenant.domains.count()) == ("active", 1)
    assert read_aspect("columns", "initech") == read_aspect("columns", "migrated")


def test_a_crash_while_the_template_is_made_leaves_none(db, stop_at, make, schemas):
    ProvisioningTemplate.objects.all().delete()
    with pytest.raises(KeyboardInterrupt), stop_at("SHOW search_path"):
        make("initech")
    after_crash = ProvisioningTemplate.objects.count(), [name for name in schemas() if "template" in name]

    make("initech")

    assert after_crash == (0, [])
    assert ProvisioningTemplate.objects.get().fault == ""


def test_two_tenants_are_provisioned_at_once_with_one_template(committed, tables_of):
    committed(ProvisioningTemplate.objects.all().delete)
    tenants = [committed(register_tenant, **values) for values in (INITECH, HOOLI)]
    try:
        with ThreadPoolExecutor(2) as workers:
            runs = [workers.submit(provision_and_close, tenant) for tenant in tenants]
            links = [run.result(timeout=120) for run in runs]

        assert links[0].startswith("http://initech.localhost")
        assert links[1].startswith("http://hooli.localhost")
        assert tables_of("initech") == tables_of("hooli") == tables_of("acme")
        assert [template.fault for template in ProvisioningTemplate.objects.all()] == [""]
    finally:
        for tenant in tenants:
            committed(delete_tenant, tenant)


def provision_and_close(tenant):
    try:
        return provision(tenant)
    finally:
        connection.close()


def test_no_tenant_gets_the_templates_schema(db):
    with pytest.raises(ValidationError, match="'template_tenant' is not a valid schema name"):
        validate_schema_name("template_tenant")

    assert choose_schema_name("template-tenant") == "template_tenant_2"
    assert choose_schema_name("template-tenant-copy") == "template_tenant_copy_2"
