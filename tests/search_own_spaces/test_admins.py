import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages

from apps.search_own_spaces.models import OwnSpace
from tenants.context import tenant_context, unbound
from tenants.models import Tenant
from tests.search_own_spaces.conftest import KEY

AT_PUBLIC = {"headers": {"host": "localhost"}}
AT_ACME = {"headers": {"host": "acme.localhost"}}
MEMBERS = "/admin/own_spaces/ownspace/"


def pages_of(tenant):
    return f"/admin/tenants/tenant/{tenant.pk}/spaces/"


def list_stored(tenant):
    with tenant_context(tenant):
        return [
            (space.alias, space.describe_key(), space.tokens_per_minute) for space in OwnSpace.objects.all()
        ]


def activate(tenant, alias):
    with unbound():
        Tenant.objects.filter(pk=tenant.pk).update(space=alias)


def test_an_operator_adds_changes_and_deletes_a_tenants_space(operator, acme, globex, values):
    pages = pages_of(acme)

    added = operator.post(f"{pages}add/", values, **AT_PUBLIC)
    after_adding = list_stored(acme)
    changes = values | {"api_key": "another-key-0123-abcd", "tokens_per_minute": 900, "model": "forged"}
    changed = operator.post(f"{pages}own-stub/", changes, **AT_PUBLIC)
    after_changing = list_stored(acme)
    shown = operator.get(pages, **AT_PUBLIC).content.decode()
    asked = operator.get(f"{pages}own-stub/delete/", **AT_PUBLIC)
    deleted = operator.post(f"{pages}own-stub/delete/", **AT_PUBLIC)

    assert [response.url for response in (added, changed, deleted)] == [pages] * 3
    assert after_adding == [("own-stub", "set, ends in 6789", None)]
    assert after_changing == [("own-stub", "set, ends in abcd", 900)]
    assert "own-stub" in shown
    assert "set, ends in abcd" in shown
    assert b"its key, and the documents that were embedded" in asked.content
    assert (list_stored(acme), list_stored(globex)) == ([], [])
    assert [str(message) for message in get_messages(deleted.wsgi_request)][-1] == (
        "The search space own-stub is deleted."
    )
    assert KEY not in shown


def test_what_an_operator_does_is_in_the_history_of_the_tenant(operator, acme, values):
    operator.post(f"{pages_of(acme)}add/", values, **AT_PUBLIC)

    (entry,) = LogEntry.objects.all()

    assert (entry.object_id, entry.user) == (str(acme.pk), operator.get("/", **AT_PUBLIC).wsgi_request.user)
    assert entry.change_message == "The search space own-stub is saved; its endpoint answers."


def test_a_refusal_of_the_service_stands_beside_its_field(operator, acme, values, stub_server):
    stub_server.fail(401, f"Incorrect API key provided: {KEY}")

    page = operator.post(f"{pages_of(acme)}add/", values, **AT_PUBLIC)

    assert page.status_code == 200
    assert list(page.context["form"].errors) == ["api_key"]
    assert "status 401: check the key. The service said:" in page.content.decode()
    assert KEY not in page.content.decode()
    assert list_stored(acme) == []


def test_the_page_lists_the_installations_spaces_too(operator, acme, settings):
    settings.EMBEDDINGS = settings.EMBEDDINGS | {"broken": {"BACKEND": "no.Where"}}

    page = operator.get(pages_of(acme), **AT_PUBLIC)

    content = page.content.decode()
    for text in (
        "None yet.",
        "fast",
        "384",
        "It cannot be used: see manage.py check",
        "<strong>default</strong>",
    ):
        assert text in content
    assert "style=" not in content


def test_the_active_space_cannot_be_deleted(operator, acme, make_space):
    with tenant_context(acme):
        make_space()
    activate(acme, "own-stub")

    page = operator.post(f"{pages_of(acme)}own-stub/delete/", **AT_PUBLIC)

    assert page.status_code == 200
    assert b"This tenant is searched by it: switch to another space first." in page.content
    assert len(list_stored(acme)) == 1


def test_the_tenants_page_leads_there(operator, acme):
    page = operator.get(f"/admin/tenants/tenant/{acme.pk}/change/", **AT_PUBLIC)

    assert f'href="{pages_of(acme)}"' in page.content.decode()


def test_a_space_of_another_tenant_is_not_found(operator, acme, globex, make_space):
    with tenant_context(acme):
        make_space()

    statuses = [
        operator.get(f"{pages_of(globex)}own-stub/", **AT_PUBLIC).status_code,
        operator.post(f"{pages_of(globex)}own-stub/delete/", **AT_PUBLIC).status_code,
        operator.get(f"{pages_of(globex)}own-nothing/", **AT_PUBLIC).status_code,
    ]

    assert statuses == [404, 404, 404]
    assert len(list_stored(acme)) == 1
    assert "own-stub" not in operator.get(pages_of(globex), **AT_PUBLIC).content.decode()


def test_a_tenant_without_a_schema_has_no_such_pages(operator, acme):
    Tenant.objects.filter(pk=acme.pk).update(state="provisioning")

    assert operator.get(pages_of(acme), **AT_PUBLIC).status_code == 404


@pytest.mark.parametrize("path", ["", "add/", "own-stub/", "own-stub/delete/"])
def test_only_superusers_of_the_operators_site_see_them(client, acme, make_space, path):
    with tenant_context(acme):
        make_space()
        boss = get_user_model().objects.create_superuser("boss@acme.example")
        client.force_login(boss)
    at_acme = client.get(f"{pages_of(acme)}{path}", **AT_ACME)
    client.logout()
    stranger = client.get(f"{pages_of(acme)}{path}", **AT_PUBLIC)
    client.force_login(get_user_model().objects.create_user("staff@example.com", is_staff=True))

    staff = client.get(f"{pages_of(acme)}{path}", **AT_PUBLIC)

    assert (at_acme.status_code, stranger.status_code, staff.status_code) == (404, 302, 403)


def test_the_pages_want_the_csrf_token(operator, acme, values):
    operator.handler.enforce_csrf_checks = True

    assert operator.post(f"{pages_of(acme)}add/", values, **AT_PUBLIC).status_code == 403
    assert list_stored(acme) == []


def test_a_member_adds_changes_and_deletes_a_space(boss, acme, values):
    added = boss.post(f"{MEMBERS}add/", values, **AT_ACME)
    listed = boss.get(MEMBERS, **AT_ACME).content.decode()
    with tenant_context(acme):
        pk = OwnSpace.objects.get().pk
    shown = boss.get(f"{MEMBERS}{pk}/change/", **AT_ACME).content.decode()
    changed = boss.post(f"{MEMBERS}{pk}/change/", values | {"api_key": "", "tokens_per_minute": 7}, **AT_ACME)
    after_changing = list_stored(acme)
    deleted = boss.post(f"{MEMBERS}{pk}/delete/", {"post": "yes"}, **AT_ACME)

    assert [response.status_code for response in (added, changed, deleted)] == [302, 302, 302]
    assert after_changing == [("own-stub", "set, ends in 6789", 7)]
    assert "set, ends in 6789" in listed
    assert "Now: set, ends in 6789." in shown
    assert KEY not in listed + shown
    assert list_stored(acme) == []


def test_a_member_cannot_delete_the_active_space(boss, acme, make_space):
    with tenant_context(acme):
        space = make_space()
    activate(acme, "own-stub")

    response = boss.post(f"{MEMBERS}{space.pk}/delete/", {"post": "yes"}, **AT_ACME)
    action = {"action": "delete_selected", "_selected_action": [space.pk], "post": "yes"}
    boss.post(MEMBERS, action, **AT_ACME)

    assert response.status_code == 403
    assert len(list_stored(acme)) == 1


def test_staff_who_may_view_cannot_change(client, acme, make_space):
    with tenant_context(acme):
        space = make_space()
        staff = get_user_model().objects.create_user("staff@acme.example", is_staff=True)
        staff.user_permissions.set(Permission.objects.filter(codename="view_ownspace"))
        client.force_login(staff)

    shown = client.get(f"{MEMBERS}{space.pk}/change/", **AT_ACME)
    changed = client.post(f"{MEMBERS}{space.pk}/change/", {"api_key": "x"}, **AT_ACME)

    assert (shown.status_code, changed.status_code) == (200, 403)
    assert KEY not in shown.content.decode()
    assert space.encrypted_key not in shown.content.decode()


def test_an_admin_of_another_tenant_does_not_find_it(client, acme, globex, make_space):
    with tenant_context(acme):
        space = make_space()
    with tenant_context(globex):
        client.force_login(get_user_model().objects.create_superuser("boss@globex.example"))

    at_globex = {"headers": {"host": "globex.localhost"}}
    listed = client.get(MEMBERS, **at_globex).content.decode()
    touched = client.get(f"{MEMBERS}{space.pk}/change/", **at_globex)

    assert "own-stub" not in listed
    assert touched.status_code == 302


@pytest.mark.parametrize("query", ["alias=%00", "model=a%00b"])
def test_a_nul_in_a_filter_is_a_bad_request(boss, client, query):
    assert client.get(f"{MEMBERS}?{query}", **AT_ACME).status_code == 400
