import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from tenants.context import tenant_context
from tenants.models import Domain, Tenant
from tenants.provisioning.life_cycle import register_tenant, suspend
from tenants.provisioning.renaming import rename_tenant


@pytest.fixture
def get(client, db):
    return lambda host, path="/": client.get(path, headers={"host": host})


def list_domains(tenant):
    return {
        domain.domain: "primary" if domain.is_primary else "redirects" if domain.redirects else "further"
        for domain in tenant.domains.all()
    }


def get_fault(change, *args, **kwargs):
    with pytest.raises(ValidationError) as caught, transaction.atomic():
        change(*args, **kwargs)
    return " ".join(caught.value.messages)


def test_the_new_host_serves_and_the_old_one_redirects_with_path_and_query(get, acme):
    rename_tenant(acme, "apex")

    served, moved = get("apex.localhost"), get("acme.localhost", "/search/?q=a+b&page=2")

    assert (acme.subdomain, acme.schema_name) == ("apex", "acme")
    assert list_domains(acme) == {"acme.localhost": "redirects", "apex.localhost": "primary"}
    assert served.status_code in (200, 302)
    assert (moved.status_code, moved.url) == (308, "http://apex.localhost:8000/search/?q=a+b&page=2")
    assert moved["Cache-Control"] == "no-store"


def test_after_two_renamings_the_oldest_host_leads_to_the_newest_at_once(get, acme):
    rename_tenant(acme, "apex")
    rename_tenant(acme, "zenith")

    targets = [get(host).url for host in ("acme.localhost", "apex.localhost")]

    assert targets == ["http://zenith.localhost:8000/"] * 2


def test_a_tenant_takes_its_old_name_back(get, acme):
    rename_tenant(acme, "apex")

    rename_tenant(acme, "acme")

    assert list_domains(acme) == {"acme.localhost": "primary", "apex.localhost": "redirects"}
    assert get("apex.localhost").url == "http://acme.localhost:8000/"


def test_members_sign_in_again_under_the_new_host(client, acme):
    with tenant_context(acme):
        client.force_login(get_user_model().objects.create_superuser("boss@acme.example"))
    before = client.get("/admin/", headers={"host": "acme.localhost"}).status_code
    cookie = client.cookies["sessionid"]

    rename_tenant(acme, "apex")

    assert before == 200
    assert not cookie["domain"]  # a browser sends it to acme.localhost alone


def test_another_tenant_can_neither_take_the_old_name_nor_a_redirects_host(acme, globex):
    rename_tenant(acme, "apex")
    still = "The host 'acme.localhost' still redirects to another tenant. Choose another subdomain."

    taken_by_new = get_fault(register_tenant, name="New", subdomain="acme", owner_email="a@example.com")
    taken_by_other = get_fault(rename_tenant, globex, "acme")

    assert taken_by_new == taken_by_other == f"{still} To free it, remove it from the domains of Acme."
    globex.refresh_from_db()
    assert (globex.subdomain, list_domains(globex)) == ("globex", {"globex.localhost": "primary"})


def test_the_old_name_is_free_once_the_redirect_is_removed(acme):
    rename_tenant(acme, "apex")
    acme.domains.filter(redirects=True).delete()

    tenant = register_tenant(name="New", subdomain="acme", owner_email="a@example.com")

    assert (tenant.subdomain, tenant.schema_name) == ("acme", "acme_2")


@pytest.mark.parametrize(
    ("subdomain", "fault"),
    [
        ("a b", "'a b' is not a valid subdomain: use 1 to 48 lower-case letters"),
        ("admin", "The subdomain 'admin' is reserved. Choose another."),
        ("globex", "'globex' is the subdomain of another tenant. Choose another one."),
        ("acme", "'acme' is its subdomain already."),
        ("", "This field cannot be blank."),
        ("x" * 49, "Ensure this value has at most 48 characters (it has 49)."),
    ],
)
def test_a_bad_subdomain_is_refused_and_nothing_changes(acme, globex, subdomain, fault):
    assert fault in get_fault(rename_tenant, acme, subdomain)

    acme.refresh_from_db()
    assert (acme.subdomain, list_domains(acme)) == ("acme", {"acme.localhost": "primary"})


def test_the_host_of_anothers_further_domain_is_refused(acme, globex):
    globex.domains.create(domain="shop.localhost", is_primary=False)

    fault = get_fault(rename_tenant, acme, "shop")

    assert fault == "The host 'shop.localhost' leads to another tenant. Choose another subdomain."


@pytest.mark.parametrize("state", ["provisioning", "failed", "leaving"])
def test_only_a_tenant_that_stays_is_renamed(make_tenant, state):
    tenant = make_tenant("soon", state=state)

    fault = get_fault(rename_tenant, tenant, "later")

    assert fault == f"Soon is {state}; only active and suspended can be renamed."


def test_a_suspended_tenant_is_renamed_and_stays_suspended(acme):
    suspend(acme, "unpaid")

    rename_tenant(acme, "apex")

    assert (acme.subdomain, acme.state, acme.state_reason) == ("apex", "suspended", "unpaid")


def test_a_host_of_its_own_stays_the_primary_one(get, acme):
    acme.domains.create(domain="search.acme.example", is_primary=True)

    rename_tenant(acme, "apex")

    assert list_domains(acme) == {
        "acme.localhost": "redirects",
        "apex.localhost": "further",
        "search.acme.example": "primary",
    }
    assert get("acme.localhost").url == "http://search.acme.example:8000/"


def test_a_host_that_redirected_before_does_so_under_the_new_name(acme):
    acme.domains.create(domain="search.acme.example", is_primary=True)
    acme.domains.filter(domain="acme.localhost").update(redirects=True)

    rename_tenant(acme, "apex")

    assert list_domains(acme)["apex.localhost"] == "redirects"


def test_a_tenant_is_renamed_while_it_is_bound(acme):
    with tenant_context(acme):
        rename_tenant(acme, "apex")

    assert Tenant.objects.get(pk=acme.pk).subdomain == "apex"


def test_the_command_renames_and_prints_where_the_tenant_is(acme, capsys):
    call_command("rename_tenant", "acme", "apex")

    assert capsys.readouterr().out.splitlines() == [
        "Acme is at http://apex.localhost:8000/",
        "http://acme.localhost:8000/ redirects",
    ]


@pytest.mark.parametrize(
    ("schema", "subdomain", "fault"),
    [
        ("nobody", "apex", r"No tenant has the schema 'nobody'\."),
        ("acme", "admin", r"The subdomain 'admin' is reserved\. Choose another\."),
    ],
)
def test_the_command_says_what_is_wrong(acme, schema, subdomain, fault):
    with pytest.raises(CommandError, match=fault):
        call_command("rename_tenant", schema, subdomain)


@pytest.mark.parametrize("values", [{"is_primary": True}, {"is_primary": True, "redirects": True}])
def test_the_database_refuses_a_second_primary_domain_and_one_that_redirects(acme, values):
    further = acme.domains.create(domain="search.acme.example", is_primary=False)

    with pytest.raises(IntegrityError), transaction.atomic():
        Domain.objects.filter(pk=further.pk).update(**values)


def test_a_redirect_does_not_become_primary_for_want_of_another(make_tenant):
    tenant = make_tenant("soon")
    tenant.domains.all().delete()

    Domain.objects.create(tenant=tenant, domain="old.example", redirects=True)

    assert list_domains(tenant) == {"old.example": "redirects"}
