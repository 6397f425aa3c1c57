from contextlib import nullcontext
from importlib import import_module
from unittest.mock import Mock

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission

from apps.accounts.models import User
from tenants.admin.site import site
from tenants.context import tenant_context

from .conftest import PASSWORD

USERS = "/admin/accounts/user/"
OWN = {"view_user", "add_user", "change_user", "delete_user"}


@pytest.fixture
def clerk(client, acme):
    """Staff who may see to accounts, and to nothing else."""
    with tenant_context(acme):
        user = User.objects.create_user("clerk@example.com", PASSWORD, is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=OWN))
        client.force_login(user)
    return user


@pytest.fixture
def editor(acme):
    """A member who may do something that the clerk may not, through a group; deactivated at present."""
    with tenant_context(acme):
        user = User.objects.create_user("editor@example.com", PASSWORD, is_active=False)
        group = Group.objects.create(name="editors")
        group.permissions.set(Permission.objects.filter(codename="change_note"))
        user.groups.add(group)
    return user


@pytest.fixture
def refreshed(acme):
    def refresh(user):
        with tenant_context(acme):
            return User.objects.get(pk=user.pk)

    return refresh


def test_staff_who_see_to_accounts_change_a_members(client, clerk, member, at_acme, refreshed):
    form = {"email": "renamed@example.com", "name": "Renamed", "is_active": "on"}

    client.post(f"{USERS}{member.pk}/change/", form, **at_acme)

    assert refreshed(member).email == "renamed@example.com"


@pytest.mark.parametrize("whose", ["clerk", "member"])
def test_staff_who_see_to_accounts_give_no_rights(client, clerk, acme, at_acme, refreshed, request, whose):
    user = request.getfixturevalue(whose)
    with tenant_context(acme):
        everything = [permission.pk for permission in Permission.objects.all()]
    rights = {"is_staff": "on", "is_superuser": "on", "user_permissions": everything}

    response = client.post(
        f"{USERS}{user.pk}/change/", {"email": user.email, "is_active": "on"} | rights, **at_acme
    )

    assert response.status_code == 302
    changed = refreshed(user)
    assert (changed.is_staff, changed.is_superuser) == (user.is_staff, False)
    with tenant_context(acme):
        assert set(changed.user_permissions.values_list("codename", flat=True)) <= OWN


@pytest.mark.parametrize("whose", ["admin_member", "editor"])
@pytest.mark.parametrize(
    ("page", "form"),
    [
        ("change/", {"email": "clerk+boss@example.com", "is_active": "on"}),
        ("password/", {"password1": "another horse 8", "password2": "another horse 8"}),
        ("delete/", {"post": "yes"}),
    ],
)
def test_accounts_with_more_rights_are_out_of_reach(
    client, clerk, at_acme, refreshed, request, whose, page, form
):
    user = request.getfixturevalue(whose)

    response = client.post(f"{USERS}{user.pk}/{page}", form | {"usable_password": "true"}, **at_acme)

    assert response.status_code == 403
    assert (refreshed(user).email, refreshed(user).password) == (user.email, user.password)


def test_accounts_with_more_rights_are_not_deleted_by_the_list(
    client, clerk, admin_member, at_acme, refreshed
):
    form = {"action": "delete_selected", "_selected_action": [admin_member.pk], "post": "yes"}

    client.post(USERS, form, **at_acme)

    assert refreshed(admin_member) == admin_member


GROUPS = "/admin/auth/group/"
AT_PUBLIC = {"headers": {"host": "localhost"}}


@pytest.fixture(params=["tenant", "operators"])
def place(request, acme):
    """The tenant and the header of either site."""
    if request.param == "tenant":
        return tenant_context(acme), {"headers": {"host": "acme.localhost"}}
    return nullcontext(), AT_PUBLIC


@pytest.fixture
def raised(client, place):
    """Staff with every permission there is, who are no superuser, and their group."""
    bound, _ = place
    with bound:
        user = User.objects.create_user("almost@example.com", PASSWORD, is_staff=True)
        group = Group.objects.create(name="clerks")
        user.groups.add(group)
        user.user_permissions.set(Permission.objects.filter(content_type__app_label__in=["auth", "accounts"]))
        client.force_login(user)
    return group


@pytest.mark.parametrize(
    ("page", "form"),
    [
        ("{pk}/change/", {"name": "clerks"}),
        ("{pk}/delete/", {"post": "yes"}),
        ("add/", {"name": "new"}),
        ("", {"action": "delete_selected", "post": "yes"}),
    ],
)
def test_only_superusers_change_what_a_group_may_do(client, raised, place, page, form):
    bound, at = place
    with bound:
        everything = [permission.pk for permission in Permission.objects.all()]
    form = form | {"permissions": everything, "_selected_action": [raised.pk]}

    shown = client.get(GROUPS, **at)
    client.post(GROUPS + page.format(pk=raised.pk), form, **at)

    assert shown.status_code == 200
    with bound:
        assert [(group.name, group.permissions.count()) for group in Group.objects.all()] == [("clerks", 0)]


def test_superusers_do(admin_client, acme, at_acme):
    with tenant_context(acme):
        right = Permission.objects.get(codename="view_group")

    admin_client.post(f"{GROUPS}add/", {"name": "new", "permissions": [right.pk]}, **at_acme)

    with tenant_context(acme):
        assert list(Group.objects.get(name="new").permissions.all()) == [right]


@pytest.mark.parametrize("admin_site", [admin.site, site], ids=["members", "operators"])
def test_no_admin_lets_anybody_else_touch_rights(rf, acme, admin_site):
    import_module("project.urls_public")  # which registers some on the operators' site
    request = rf.get("/")
    request.user = Mock(is_active=True, is_staff=True, is_superuser=False, has_perm=lambda *args: True)
    rights = {Permission, Group}

    with tenant_context(acme):
        open_to_staff = [
            f"{model.__name__}.{field.name}"
            for model, model_admin in admin_site._registry.items()
            for field in (*model._meta.get_fields(),)
            if model in rights or field.related_model in rights or field.name in {"is_staff", "is_superuser"}
            if model_admin.has_change_permission(request, None) or model_admin.has_add_permission(request)
            if field.name not in model_admin.get_readonly_fields(request, model())
            if field.name in model_admin.get_form(request, model(), fields=None).base_fields
        ]

    assert open_to_staff == []
