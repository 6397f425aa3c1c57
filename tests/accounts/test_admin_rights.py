import pytest
from django.contrib.auth.models import Group, Permission

from apps.accounts.models import User
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
