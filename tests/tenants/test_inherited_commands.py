import json

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command, get_commands
from django.db import connection
from django_tenants.utils import schema_exists

from tenants.context import tenant_context
from tenants.models import Domain, Tenant

TIMES = {"created_at": "2026-01-01T00:00Z", "updated_at": "2026-01-01T00:00Z"}


@pytest.fixture
def unprovisioned(make_tenant):
    return make_tenant("waiting", state="failed")


@pytest.mark.parametrize(
    ("command", "ours"),
    [
        (["rename_schema", "--rename_from=acme", "--rename_to=apex"], "rename_tenant SCHEMA SUBDOMAIN"),
        (
            ["clone_tenant", "--clone_from=acme", "--clone_tenant_fields=yes"],
            "export_tenant SCHEMA --to",
        ),
        (["create_missing_schemas"], "manage.py db_worker provisions tenants that wait"),
        (["collectstatic_schemas"], "manage.py collectstatic --noinput"),
        (["flush", "--noinput"], "manage.py delete_tenant SCHEMA"),
        (["flush"], "manage.py delete_tenant SCHEMA"),
    ],
)
def test_a_command_that_bypasses_the_life_cycle_refuses_and_names_ours(acme, unprovisioned, command, ours):
    before = list(Tenant.objects.values())

    with pytest.raises(CommandError, match=ours):
        call_command(*command)

    assert list(Tenant.objects.values()) == before
    assert schema_exists("acme")
    assert not schema_exists("waiting")


def test_each_command_that_a_refusal_names_is_there():
    named = {"rename_tenant", "export_tenant", "import_tenant", "db_worker", "delete_tenant", "doctor"}

    assert named - get_commands().keys() <= {"export_tenant", "import_tenant"}  # which may be left out


def test_a_flush_within_a_tenant_is_refused_too(acme):
    with pytest.raises(CommandError, match="registry of tenants"):
        call_command("tenant_command", "flush", "--noinput", schema_name="acme")


def test_djangos_own_tests_may_still_flush(monkeypatch, db):
    flushed = []
    name = "django.core.management.commands.flush.sql_flush"
    monkeypatch.setattr(name, lambda *args, **options: flushed.append(True) or [])

    call_command("flush", interactive=False, inhibit_post_migrate=True, verbosity=0)

    assert flushed


def test_delete_tenant_takes_the_arguments_of_django_tenants(make_tenant):
    make_tenant("late")

    call_command("delete_tenant", "--schema=late", "--noinput")

    assert Tenant.objects.get(schema_name="late").state == "leaving"


def test_a_further_domain_serves_and_leaves_the_primary_one_as_it_is(acme, client, capsys):
    call_command("create_domain", "--schema=acme", "--domain-domain=search.acme.example", "--noinput")

    domain = Domain.objects.get(domain="search.acme.example")
    assert (domain.tenant, domain.is_primary, domain.redirects) == (acme, False, False)
    assert capsys.readouterr().out.endswith("/ leads to Acme\n")
    assert client.get("/", headers={"host": "search.acme.example"}).status_code != 404


def test_a_domain_may_become_primary_or_redirect(acme):
    call_command("create_domain", "-s", "acme", "-d", "new.acme.example", "--domain-is_primary", verbosity=0)
    call_command("create_domain", "-s", "acme", "-d", "old.acme.example", "--domain-redirects", verbosity=0)

    primary, redirecting = (acme.domains.get(domain=f"{name}.acme.example") for name in ("new", "old"))
    assert (primary.is_primary, redirecting.redirects) == (True, True)
    assert acme.domains.filter(is_primary=True).count() == 1


@pytest.mark.parametrize(
    ("host", "fault"),
    [
        ("a b", "'a b' is not a valid"),
        ("globex.localhost", "is the host of another tenant's subdomain"),
        ("x.example", "already exists"),
    ],
)
def test_a_bad_domain_is_refused_and_not_made(acme, globex, host, fault):
    globex.domains.create(domain="x.example", is_primary=False)
    before = Domain.objects.count()

    with pytest.raises(CommandError, match=fault):
        call_command("create_domain", "--schema=acme", f"--domain-domain={host}")

    assert Domain.objects.count() == before


def test_a_domain_goes_but_not_the_primary_one_nor_anothers(acme, globex):
    acme.domains.create(domain="search.acme.example", is_primary=False)

    call_command("delete_domain", "--schema=acme", "--domain-domain=search.acme.example", "--noinput")

    assert not Domain.objects.filter(domain="search.acme.example").exists()
    with pytest.raises(CommandError, match="is the primary domain of Acme"):
        call_command("delete_domain", "--schema=acme", "--domain-domain=acme.localhost")
    with pytest.raises(CommandError, match=r"Acme does not have the domain 'globex\.localhost'"):
        call_command("delete_domain", "--schema=acme", "--domain-domain=globex.localhost")


def test_data_is_dumped_from_one_tenant_and_loaded_into_another(acme, globex, tmp_path):
    file, users = tmp_path / "members.json", get_user_model().objects
    with tenant_context(acme):
        users.create_user("kim@acme.example")

    call_command("tenant_command", "dumpdata", "accounts.user", f"--output={file}", schema_name="acme")
    rows = [row for row in json.loads(file.read_text()) if row["fields"]["email"] == "kim@acme.example"]
    file.write_text(json.dumps([row | {"pk": 987_654} for row in rows]))
    call_command("tenant_command", "loaddata", str(file), schema_name="globex")

    with tenant_context(globex):
        assert users.get(pk=987_654).email == "kim@acme.example"
    with tenant_context(acme):
        assert not users.filter(pk=987_654).exists()
    assert connection.schema_name == "public"


@pytest.mark.parametrize("label", ["notes", "notes.note"])
def test_of_the_tenants_apps_nothing_is_dumped_from_public(acme, label):
    ours = rf"manage\.py tenant_command dumpdata {label} --schema=SCHEMA$"
    with pytest.raises(CommandError, match=ours):
        call_command("dumpdata", label)


def test_what_public_has_too_is_dumped_from_it(db, capsys):
    call_command("dumpdata", "tenants", "accounts", "auth.group", indent=None)

    assert capsys.readouterr().out.startswith("[{")


def test_rows_of_the_tenants_apps_that_are_left_out_are_named(acme, tmp_path):
    file, users = tmp_path / "rows.json", get_user_model().objects
    note = {"model": "notes.note", "pk": 1, "fields": {"title": "Tides", "body": "Moon."}}
    user = {"model": "accounts.user", "pk": 987_654, "fields": {"email": "kim@example.com", "password": "!"}}
    file.write_text(json.dumps([user, {**note, "fields": note["fields"] | TIMES}]))

    ours = rf"Left out, .*: notes\.Note\. For one tenant: manage\.py tenant_command loaddata {file} --schema"
    with pytest.raises(CommandError, match=ours):
        call_command("loaddata", str(file), verbosity=0)
    call_command("loaddata", str(file), exclude=["notes"], verbosity=0)
    call_command("tenant_command", "loaddata", str(file), schema_name="acme", verbosity=0)

    assert users.get(pk=987_654).email == "kim@example.com"
    with tenant_context(acme):
        assert users.get(pk=987_654).email == "kim@example.com"


def test_a_superuser_is_made_in_one_tenant_alone(acme, globex, monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "correct horse battery")
    values = {"email": "root@acme.example", "interactive": False, "verbosity": 0}

    call_command("create_tenant_superuser", schema_name="acme", **values)

    found = []
    for tenant in (acme, globex):
        with tenant_context(tenant):
            found.append(
                get_user_model().objects.filter(email="root@acme.example", is_superuser=True).exists()
            )
    assert found == [True, False]
    assert not get_user_model().objects.filter(email="root@acme.example").exists()
    assert connection.schema_name == "public"


def test_a_command_for_all_tenants_leaves_out_those_without_a_schema(acme, globex, unprovisioned, capsys):
    call_command("all_tenants_command", "dumpdata", "accounts.apikey")

    applied = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Applying")]
    assert applied == ["Applying command to: acme", "Applying command to: globex"]
    assert connection.schema_name == "public"


@pytest.mark.parametrize("command", [["tenant_command", "check"], ["create_tenant_superuser"]])
def test_a_tenant_without_a_schema_is_refused(unprovisioned, command):
    with pytest.raises(CommandError, match="has no schema yet: it is failed"):
        call_command(*command, schema_name="waiting")
