import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from tenants.context import tenant_context
from tenants.models import Domain
from tenants.provisioning.renaming import rename_tenant

AT_PUBLIC = {"headers": {"host": "localhost"}}
LIST = "/admin/tenants/tenant/"


@pytest.fixture
def save_domains(operator):
    """Post a tenant's page with these rows; a row of a domain that exists begins with it."""

    def save(tenant, *rows):
        values = {"name": tenant.name, "search_language": "english", "domains-TOTAL_FORMS": len(rows)}
        values["domains-INITIAL_FORMS"] = sum("id" in row for row in rows)
        for number, row in enumerate(rows):
            values |= {f"domains-{number}-{name}": value for name, value in row.items()}
            values[f"domains-{number}-tenant"] = tenant.pk
        return operator.post(f"{LIST}{tenant.pk}/change/", values, **AT_PUBLIC)

    return save


@pytest.fixture
def own(acme):
    domain = acme.domains.get()
    return {"id": domain.pk, "domain": domain.domain}


def list_domains(tenant):
    return list(tenant.domains.values_list("domain", "is_primary", "redirects"))


def get_faults(response):
    formset = response.context["inline_admin_formsets"][0].formset
    return [*formset.non_form_errors(), *(str(fault) for row in formset.errors for fault in row.values())]


def test_a_further_domain_leads_to_the_same_site(save_domains, acme, own):
    response = save_domains(acme, own | {"is_primary": "on"}, {"domain": "search.acme.example"})

    assert response.status_code == 302
    assert list_domains(acme) == [("acme.localhost", True, False), ("search.acme.example", False, False)]


@pytest.mark.parametrize("redirects", [{}, {"redirects": "on"}])
def test_another_domain_becomes_primary_in_one_go(save_domains, acme, own, redirects):
    response = save_domains(acme, own | redirects, {"domain": "search.acme.example", "is_primary": "on"})

    assert response.status_code == 302
    assert list_domains(acme) == [
        ("acme.localhost", False, bool(redirects)),
        ("search.acme.example", True, False),
    ]


def test_a_redirect_is_removed(save_domains, acme):
    rename_tenant(acme, "apex")
    old, new = acme.domains.order_by("is_primary")
    row = {"id": old.pk, "domain": old.domain, "redirects": "on", "DELETE": "on"}

    save_domains(acme, row, {"id": new.pk, "domain": new.domain, "is_primary": "on"})

    assert list_domains(acme) == [("apex.localhost", True, False)]


@pytest.mark.parametrize(
    ("first", "second", "fault"),
    [
        ({}, {}, "0 domains are primary. Choose exactly one."),
        ({"is_primary": "on"}, {"is_primary": "on"}, "2 domains are primary. Choose exactly one."),
        ({"is_primary": "on", "DELETE": "on"}, {}, "0 domains are primary. Choose exactly one."),
        ({"is_primary": "on", "redirects": "on"}, {}, "The primary domain is where redirects lead to."),
    ],
)
def test_there_is_exactly_one_primary_domain_and_it_does_not_redirect(
    save_domains, acme, own, first, second, fault
):
    response = save_domains(acme, own | first, {"domain": "search.acme.example"} | second)

    assert response.status_code == 200
    assert fault in "".join(get_faults(response))
    assert list_domains(acme) == [("acme.localhost", True, False)]


@pytest.mark.parametrize(
    ("domain", "fault"),
    [
        ("Shop.Acme.Example", "is not a valid host name"),
        ("a b", "is not a valid host name"),
        ("globex.localhost", "is the host of another tenant&#x27;s subdomain."),
        ("shop.globex.example", "already exists; it leads to a tenant."),
        ("soon.localhost", "is the host of another tenant&#x27;s subdomain."),
        ("localhost", "is the operators&#x27; own site."),
        ("www.localhost", "is the operators&#x27; own site."),
    ],
)
def test_a_domain_that_is_malformed_or_taken_is_refused(
    save_domains, acme, globex, own, make_tenant, domain, fault
):
    make_tenant("soon", state="failed").domains.all().delete()
    globex.domains.create(domain="shop.globex.example", is_primary=False)

    response = save_domains(acme, own | {"is_primary": "on"}, {"domain": domain})

    assert response.status_code == 200
    assert fault in "".join(get_faults(response))
    assert list_domains(acme) == [("acme.localhost", True, False)]


def test_the_page_offers_a_further_domain_that_is_not_primary(operator, acme):
    response = operator.get(f"{LIST}{acme.pk}/change/", **AT_PUBLIC)

    empty = response.context["inline_admin_formsets"][0].formset.empty_form
    assert "checked" not in str(empty["is_primary"])


def test_a_tenant_is_renamed_on_its_page(operator, acme):
    page = operator.get(f"{LIST}{acme.pk}/change/", **AT_PUBLIC).content.decode()
    asked = operator.get(f"{LIST}{acme.pk}/rename/", **AT_PUBLIC)

    response = operator.post(f"{LIST}{acme.pk}/rename/", {"subdomain": "apex"}, **AT_PUBLIC)

    acme.refresh_from_db()
    assert f"{LIST}{acme.pk}/rename/" in page
    assert b"Members sign in again" in asked.content
    assert (response.status_code, response.url) == (302, f"{LIST}{acme.pk}/change/")
    assert acme.subdomain == "apex"
    assert Domain.objects.get(domain="acme.localhost").redirects
    assert LogEntry.objects.get().change_message == "Renamed to apex."


@pytest.mark.parametrize(("subdomain", "fault"), [("admin", "is reserved"), ("", "This field is required.")])
def test_a_bad_subdomain_is_shown_beside_its_field(operator, acme, subdomain, fault):
    response = operator.post(f"{LIST}{acme.pk}/rename/", {"subdomain": subdomain}, **AT_PUBLIC)

    acme.refresh_from_db()
    assert fault in response.context["form"].errors["subdomain"][0]
    assert acme.subdomain == "acme"


def test_an_operator_who_may_not_change_a_tenant_cannot_rename_it(client, acme):
    user = get_user_model().objects.create_user("watcher@example.com", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_tenant"))
    client.force_login(user)

    response = client.post(f"{LIST}{acme.pk}/rename/", {"subdomain": "apex"}, **AT_PUBLIC)

    acme.refresh_from_db()
    assert (response.status_code, acme.subdomain) == (403, "acme")


def test_a_tenants_superuser_does_not_find_the_page(client, acme):
    with tenant_context(acme):
        client.force_login(get_user_model().objects.create_superuser("boss@acme.example"))

    response = client.get(f"{LIST}{acme.pk}/rename/", headers={"host": "acme.localhost"})

    assert response.status_code == 404
