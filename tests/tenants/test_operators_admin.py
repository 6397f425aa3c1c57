import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django_tasks_db.models import DBTaskResult

from tenants.admin.site import site
from tenants.context import tenant_context
from tenants.models import Domain, Tenant

AT_PUBLIC = {"headers": {"host": "localhost"}}
AT_ACME = {"headers": {"host": "acme.localhost"}}
LIST = "/admin/tenants/tenant/"
FORM = {
    "name": "Initech",
    "subdomain": "initech",
    "owner_email": "bill@initech.example",
    "space": "fast",
    "search_language": "english",
}


@pytest.fixture
def add(operator):
    return lambda **values: operator.post(f"{LIST}add/", FORM | values, **AT_PUBLIC)


@pytest.fixture
def run_action(operator):
    def run(action, *tenants):
        data = {"action": action, "_selected_action": [tenant.pk for tenant in tenants]}
        return operator.post(LIST, data, **AT_PUBLIC)

    return run


def get_message_texts(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


def get_domain_values(tenant):
    values = {"domains-TOTAL_FORMS": tenant.domains.count(), "domains-INITIAL_FORMS": tenant.domains.count()}
    for number, domain in enumerate(tenant.domains.all()):
        row = {"id": domain.pk, "tenant": tenant.pk, "domain": domain.domain}
        row |= {name: "on" for name in ("is_primary", "redirects") if getattr(domain, name)}
        values |= {f"domains-{number}-{name}": value for name, value in row.items()}
    return values


def get_faults(response):
    return dict(response.context["adminform"].form.errors)


@pytest.mark.parametrize(
    "path", ["/admin/", LIST, f"{LIST}add/", "/admin/django_tasks_database/dbtaskresult/"]
)
def test_operators_see_the_registry_and_the_queue(operator, acme, path):
    assert operator.get(path, **AT_PUBLIC).status_code == 200


@pytest.mark.parametrize("path", ["/admin/", LIST, f"{LIST}add/"])
def test_nobody_else_does(client, acme, path):
    response = client.get(path, **AT_PUBLIC)

    assert (response.status_code, response.url) == (302, f"/admin/login/?next={path}")


def test_a_new_tenant_is_provisioned_by_one_task(add, run_tasks, schemas):
    response = add(search_is_public="on")

    tenant = Tenant.objects.get(subdomain="initech")
    waiting = DBTaskResult.objects.get()
    assert (response.status_code, response.url) == (302, LIST)
    assert (tenant.state, tenant.schema_name, tenant.space) == ("provisioning", "initech", "fast")
    assert tenant.search_is_public
    assert (waiting.task_path, waiting.args_kwargs["args"]) == ("tenants.tasks.provision_tenant", [tenant.pk])
    assert "initech" not in schemas()

    run_tasks()

    tenant.refresh_from_db()
    assert (tenant.state, tenant.state_reason) == ("active", "")
    assert Domain.objects.get(tenant=tenant).domain == "initech.localhost"


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("subdomain", "a b", "'a b' is not a valid subdomain: use 1 to 48 lower-case letters"),
        ("subdomain", "Acme", "'Acme' is not a valid subdomain"),
        ("subdomain", "admin", "The subdomain 'admin' is reserved. Choose another."),
        ("subdomain", "acme", "'acme' is the subdomain of another tenant. Choose another one."),
        ("subdomain", "a\x00b", "Null characters are not allowed."),
        ("name", "a\x00b", "Null characters are not allowed."),
        ("owner_email", "bill", "Enter a valid email address."),
        ("space", "slow", "Select a valid choice. slow is not one of the available choices."),
    ],
)
def test_a_bad_value_is_shown_beside_its_field_and_nothing_is_written(add, acme, field, value, fault):
    before = Tenant.objects.count()

    response = add(**{field: value})

    assert list(get_faults(response)) == [field]
    assert get_faults(response)[field][0].startswith(fault)
    assert Tenant.objects.count() == before
    assert not DBTaskResult.objects.exists()


def test_the_schema_cannot_be_chosen(add):
    add(schema_name="acme")

    assert Tenant.objects.get(subdomain="initech").schema_name == "initech"


def test_what_schema_domain_and_vectors_depend_on_is_fixed_on_creation(operator, acme):
    values = {
        "name": "Acme Corp",
        "subdomain": "other",
        "schema_name": "other",
        "space": "fast",
        "search_language": "german",
        "state": "failed",
    }
    values |= get_domain_values(acme)

    response = operator.post(f"{LIST}{acme.pk}/change/", values, **AT_PUBLIC)

    changed = Tenant.objects.get(pk=acme.pk)
    assert response.status_code == 302
    assert changed.name == "Acme Corp"
    assert (changed.subdomain, changed.schema_name, changed.space) == ("acme", "acme", "default")
    assert changed.state == "active"


def test_a_failed_tenant_shows_its_reason_and_can_be_tried_again(operator, make_tenant, run_action):
    tenant = make_tenant("soon", state="failed", state_reason="LookupError: no owner")
    shown = operator.get(f"{LIST}{tenant.pk}/change/", **AT_PUBLIC).content.decode()

    response = run_action("retry_provisioning", tenant)

    tenant.refresh_from_db()
    assert "LookupError: no owner" in shown
    assert (tenant.state, tenant.state_reason) == ("provisioning", "")
    assert DBTaskResult.objects.get().args_kwargs["args"] == [tenant.pk]
    assert get_message_texts(response) == ["Soon is being provisioned again."]


def test_an_active_tenant_is_not_tried_again(acme, run_action):
    run_action("retry_provisioning", acme)

    acme.refresh_from_db()
    assert acme.state == "active"
    assert not DBTaskResult.objects.exists()


def test_tenants_are_suspended_and_resumed(client, acme, run_action):
    run_action("suspend_tenants", acme)
    suspended = client.get("/", **AT_ACME).status_code

    run_action("resume_tenants", acme)

    assert suspended == 403
    acme.refresh_from_db()
    assert acme.state == "active"


def test_a_tenant_in_the_wrong_state_is_named_and_the_others_are_done(acme, make_tenant, run_action):
    soon = make_tenant("soon", state="provisioning")

    response = run_action("suspend_tenants", soon, acme)

    assert sorted(get_message_texts(response)) == [
        "Acme is suspended.",
        "Soon is not active, so it cannot become suspended.",
    ]
    acme.refresh_from_db()
    assert acme.state == "suspended"


@pytest.mark.parametrize(
    ("action", "state"),
    [
        ("suspend_tenants", "active"),
        ("resume_tenants", "suspended"),
        ("retry_provisioning", "failed"),
        ("keep_tenants", "leaving"),
    ],
)
def test_an_operator_who_may_only_look_changes_no_tenants_state(client, make_tenant, action, state):
    viewer = get_user_model().objects.create_user("viewer@example.com", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_tenant"))
    client.force_login(viewer)
    tenant = make_tenant("soon", state=state)

    client.post(LIST, {"action": action, "_selected_action": [tenant.pk]}, **AT_PUBLIC)

    tenant.refresh_from_db()
    assert client.get(LIST, **AT_PUBLIC).status_code == 200
    assert tenant.state == state


def test_the_members_admin_has_no_shared_table():
    members = {model._meta.label for model in admin.site._registry}
    operators = {model._meta.label for model in site._registry}

    assert members.isdisjoint({"tenants.Tenant", "tenants.Domain", "django_tasks_database.DBTaskResult"})
    assert {"tenants.Tenant", "django_tasks_database.DBTaskResult", "accounts.User"} <= operators


@pytest.mark.parametrize("path", [LIST, f"{LIST}add/", "/admin/django_tasks_database/dbtaskresult/"])
def test_a_tenants_superuser_does_not_find_the_registry(client, acme, path):
    with tenant_context(acme):
        client.force_login(get_user_model().objects.create_superuser("boss@acme.example"))

    statuses = [client.get(address, **AT_ACME).status_code for address in ("/admin/", path)]

    assert statuses == [200, 404]
