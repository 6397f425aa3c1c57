import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import connection

from tenants.context import tenant_context
from tenants.models import Tenant
from tests.registry import delete_tenant

INITECH = ["--name=Initech", "--subdomain=initech", "--owner-email=bill@initech.example"]


def refuse_owner(tenant, **kwargs):
    raise LookupError(f"no owner {tenant.owner_email}")


def test_a_tenant_is_created_at_once_and_its_address_is_printed(db, capsys, tables_of):
    call_command("create_tenant", *INITECH, "--space=fast", "--public-search")

    tenant = Tenant.objects.get(subdomain="initech")
    assert (tenant.name, tenant.state, tenant.space, tenant.search_is_public) == (
        "Initech",
        "active",
        "fast",
        True,
    )
    assert tables_of("initech") == tables_of("acme")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"Initech is at {tenant.url}"
    assert lines[1].startswith(f"bill@initech.example sets a password at {tenant.url}")


def test_addresses_have_the_port_of_the_site(db, settings, capsys):
    settings.SITE_URL = "http://localhost:8403"

    call_command("create_tenant", *INITECH)

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Initech is at http://initech.localhost:8403/"
    assert lines[1].startswith(
        "bill@initech.example sets a password at http://initech.localhost:8403/accounts/"
    )


def test_space_and_public_search_may_be_left_out(db):
    call_command("create_tenant", *INITECH, verbosity=0)

    tenant = Tenant.objects.get(subdomain="initech")
    assert (tenant.space, tenant.search_is_public) == ("default", False)
    with tenant_context(tenant):
        assert get_user_model().objects.get().email == "bill@initech.example"


def test_every_bad_option_is_named_and_nothing_is_created(acme, settings):
    before = Tenant.objects.count()

    with pytest.raises(CommandError) as caught:
        call_command("create_tenant", "--name=", "--subdomain=a b", "--owner-email=bill", "--space=slow")

    lines = dict(line.split(": ", 1) for line in str(caught.value).splitlines())
    assert sorted(lines) == ["--name", "--owner-email", "--space", "--subdomain"]
    assert lines["--subdomain"].startswith("'a b' is not a valid subdomain")
    assert lines["--space"].endswith(f"Choose one of: {', '.join(sorted(settings.EMBEDDINGS))}.")
    assert Tenant.objects.count() == before


def test_an_unknown_search_language_is_an_error_that_names_the_known_ones(db):
    with pytest.raises(CommandError, match=r"argument --search-language: .*'klingon' .*simple.*yiddish"):
        call_command("create_tenant", *INITECH, "--search-language=klingon")


def test_a_taken_subdomain_is_an_error(acme):
    with pytest.raises(CommandError, match="--subdomain: 'acme' is the subdomain of another tenant"):
        call_command("create_tenant", "--name=Other", "--subdomain=acme", "--owner-email=a@example.com")


def test_before_the_first_migration_it_says_what_to_run(db):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE tenants_tenant RENAME TO elsewhere")

    with pytest.raises(
        CommandError, match=r"There is no registry of tenants yet. Run: manage.py migrate_schemas"
    ):
        call_command("create_tenant", *INITECH)


@pytest.mark.parametrize("missing", range(3))
def test_a_missing_option_is_an_error_that_names_it(db, missing):
    options = [option for number, option in enumerate(INITECH) if number != missing]
    name = INITECH[missing].split("=")[0]

    with pytest.raises(CommandError, match=f"the following arguments are required: {name}"):
        call_command("create_tenant", *options)


def test_a_failed_provisioning_is_an_error_with_its_reason(committed, owners_made_by):
    owners_made_by(refuse_owner)

    try:
        with pytest.raises(
            CommandError, match=r"Tenant 'initech' was not provisioned\. LookupError: no owner bill@"
        ):
            committed(call_command, "create_tenant", *INITECH)
    finally:
        committed(delete_tenant, Tenant.objects.get(schema_name="initech"))
