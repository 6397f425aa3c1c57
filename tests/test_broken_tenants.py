"""A row of the registry that is broken stops no command that looks at all tenants: it is a finding."""

import json

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command, get_commands, load_command_class
from django.db import transaction
from django.utils import timezone

from tenants.context import tenant_context
from tenants.management.tenants import each_tenant
from tenants.models import DeletionReport, Domain, Tenant
from tenants.provisioning.erasing import erase_outside, erase_shared
from tenants.provisioning.life_cycle import provision, register_tenant
from tenants.provisioning.roles import drop_roles
from tests.models_app.models import Note
from tests.optional import needs
from tests.search.embedder import BACKEND, HashingEmbedder

MENDS = {  # what the doctor says of each kind
    "empty": "manage.py delete_tenant '' --now",
    "misnamed": "manage.py delete_tenant 'a b' --now",
    "gone": "manage.py delete_tenant aaa --now",
    "roleless": "manage.py tenant_roles --repair",
    "homeless": 'INSERT INTO public."tenants_domain"',
    "spaceless": "",
}
USELESS = {"empty", "misnamed", "gone", "roleless"}  # nothing can be done in these tenants
SAY_NO = [["doctor"], ["doctor", "--fix"], ["evaluate_search", "--all"]]  # whatever ails the tenants
COMMANDS = get_commands()


@pytest.fixture
def broken(request, make_tenant):
    """A tenant whose subdomain is `aaa`, which makes it the first, with one fault."""
    kind = request.param
    if kind in ("empty", "misnamed", "gone"):
        schema = {"empty": "", "misnamed": "a b", "gone": "aaa"}[kind]
        return make_tenant("aaa", schema_name=schema, provisioned_at=timezone.now())
    tenant = register_tenant(name="Aaa", subdomain="aaa", owner_email="owner@aaa.example")
    provision(tenant)
    if kind == "roleless":
        drop_roles(["aaa"])
    elif kind == "homeless":
        Domain.objects.filter(tenant=tenant).delete()
    elif kind == "spaceless":
        Tenant.objects.filter(pk=tenant.pk).update(space="nowhere")
    return tenant


def get_faults(command):
    try:
        call_command(*command)
    except CommandError as error:
        return str(error)
    return ""


def list_commands():
    """Return the commands that look at all tenants, as they are written."""
    with_all = []
    for name in sorted(COMMANDS.keys() - {"makemessages"}):  # which means all languages, and writes files
        parser = load_command_class(COMMANDS[name], name).create_parser("manage.py", name)
        if "--all" in parser._option_string_actions and "paths" not in {
            each.dest for each in parser._actions
        }:
            with_all.append([name, "--all"])
    others = [
        ["doctor"],
        ["doctor", "--fix"],
        ["migrate"],
        ["migrate_schemas"],
        ["tenant_roles"],
        ["tenant_roles", "--repair"],
        ["all_tenants_command", "dumpdata", "accounts.apikey"],
    ]
    return with_all + [command for command in others if command[0] in COMMANDS]


@pytest.mark.parametrize("broken", MENDS, indirect=True)
def test_every_command_for_all_tenants_goes_on_to_the_sound_ones(broken, acme, globex, settings, capfd):
    settings.EMBEDDINGS = {"default": {"BACKEND": BACKEND, "MODEL": "pgvector.PgVectorEmbedding"}}
    HashingEmbedder.reset()
    with tenant_context(globex):
        Note.objects.create(title="Tides", body="The moon pulls.")

    for command in list_commands():
        with transaction.atomic():
            faults = get_faults(command)
            transaction.set_rollback(True)
        said = "".join(capfd.readouterr())
        assert not faults or "aaa" in faults or repr(broken.schema_name) in faults or command in SAY_NO, (
            command
        )
        if command[0] == "rebuild_index":
            assert "globex: index notes: 1 documents changed" in said
        elif command[0] in ("rotate_encryption", "all_tenants_command"):
            assert "globex" in said


@pytest.mark.parametrize(("broken", "mend"), MENDS.items(), indirect=["broken"])
def test_the_doctor_names_it_with_its_mend(broken, mend, capsys):
    with pytest.raises(CommandError, match=r"^1 errors, 0 warnings\.$"):
        call_command("doctor", "--json")

    findings = json.loads(capsys.readouterr().out)["findings"]
    (finding,) = [each for each in findings if each["level"] == "error"]
    assert finding["subject"] == (
        broken.schema_name if broken.schema_name == "aaa" else repr(broken.schema_name)
    )
    assert mend in finding["fix"]


@pytest.mark.parametrize("broken", sorted(USELESS), indirect=True)
def test_the_same_tenant_alone_is_refused_with_a_way_out(broken, acme):
    name = broken.schema_name

    for command in (["search", "moon"], ["tenant_command", "check"]):
        options = {"schema": name} if command[0] == "search" else {"schema_name": name}
        with pytest.raises(CommandError, match=r"manage\.py doctor says what mends it\.$|Name a tenant"):
            call_command(*command, **options)


@needs("apps.operations.isolation")
@pytest.mark.parametrize("broken", ["empty", "gone"], indirect=True)
def test_isolation_is_proved_for_the_others(broken, acme, globex, capsys, monkeypatch):
    attacks = {"be_oneself": lambda victim, attacker: victim is attacker}
    monkeypatch.setattr("apps.operations.isolation.proving.load_attacks", lambda: attacks)

    call_command("prove_isolation")

    out, errors = capsys.readouterr()
    assert "2 tenants" in out
    assert errors.startswith(f"Passed over {broken.schema_name or repr('')}: ")


@needs("apps.operations.bundles")
@pytest.mark.parametrize("broken", ["empty", "gone"], indirect=True)
def test_it_cannot_be_exported(broken, tmp_path):
    with pytest.raises(CommandError, match=r"manage\.py doctor says what mends it"):
        call_command("export_tenant", broken.schema_name, "--to", str(tmp_path / "x.tar.gz"))


@pytest.mark.parametrize("broken", ["empty", "misnamed"], indirect=True)
def test_a_row_with_a_name_that_cannot_be_goes_alone(broken, acme, globex, own_media, column):
    (own_media / "acme").mkdir(parents=True)
    (own_media / "acme" / "kept.txt").write_text("kept")
    schemas = column("SELECT nspname FROM pg_namespace")

    with pytest.raises(CommandError, match="To delete the row: --now"):
        call_command("delete_tenant", broken.schema_name, "--noinput")
    call_command("delete_tenant", broken.schema_name, "--now", "--noinput")

    assert not Tenant.objects.filter(pk=broken.pk).exists()
    assert not Domain.objects.filter(domain="aaa.localhost").exists()
    assert not DeletionReport.objects.exists()
    assert (own_media / "acme" / "kept.txt").exists()
    assert column("SELECT nspname FROM pg_namespace") == schemas


@pytest.mark.parametrize("name", ["", "public", "a b", "pg_catalog"])
@pytest.mark.parametrize("erase", [lambda name: erase_shared(name, 0), erase_outside])
def test_nothing_is_erased_under_a_name_that_no_tenant_can_have(db, own_media, erase, name):
    (own_media / "acme").mkdir(parents=True)

    with pytest.raises(ValidationError, match="is not a valid schema name"):
        erase(name)

    assert (own_media / "acme").exists()


@pytest.mark.parametrize("broken", ["gone"], indirect=True)
def test_a_loop_of_ones_own_passes_it_over_with_a_line_in_the_log(broken, acme, globex, caplog):
    seen = [tenant.schema_name for tenant in each_tenant({"schema": None})]

    assert seen == ["acme", "globex"]
    assert "Passed over aaa: it has no schema. manage.py doctor says what mends it." in caplog.text


def test_a_check_that_fails_is_a_finding_and_stops_no_other(acme, monkeypatch, capsys):
    def fail(scope):
        raise ValidationError("of whatever kind")

    monkeypatch.setattr("apps.operations.doctor.doctor.CHECKS", [fail])

    with pytest.raises(CommandError, match="1 errors"):
        call_command("doctor")

    out = capsys.readouterr().out
    assert "fail could not be run: ValidationError." in out
    assert "The database takes" in out
