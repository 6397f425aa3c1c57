from django.contrib.auth.models import Group

from apps.accounts.models import ApiKey, User
from tenants.context import tenant_context

from .conftest import PASSWORD

NEW = "another long passphrase 9"
SIGN_IN = "/accounts/login/"


def test_sign_ins_and_failed_ones_say_who_and_from_where(client, member, at_acme, deeds):
    wrong = deeds(lambda: client.post(SIGN_IN, {"username": member.email, "password": "no"}, **at_acme))
    right = deeds(lambda: client.post(SIGN_IN, {"username": member.email, "password": PASSWORD}, **at_acme))
    out = deeds(lambda: client.post("/accounts/logout/", **at_acme))

    assert wrong == [
        'who=anonymous what="fail to sign in" whose=acme on=member@example.com address=127.0.0.1'
    ]
    assert right == [
        'who=member:member@example.com what="sign in" whose=acme on=member@example.com address=127.0.0.1'
    ]
    assert out == ['who=member:member@example.com what="sign out" whose=acme on=member@example.com']


def test_keys_are_recorded_without_the_key(member_client, acme, member, at_acme, deeds):
    form = {"name": "nightly import", "lifetime": ""}
    issued = deeds(lambda: member_client.post("/accounts/account/keys/", form, **at_acme))
    with tenant_context(acme):
        key = ApiKey.objects.get()
    revoke = f"/accounts/account/keys/{key.pk}/revoke/"
    revoked = deeds(lambda: member_client.post(revoke, **at_acme))
    again = deeds(lambda: member_client.post(revoke, **at_acme))

    who, on = "who=member:member@example.com", f'on="nightly import ({key.prefix}…)"'
    assert issued == [f'{who} what="issue key" whose=acme {on} user=member@example.com']
    assert revoked == [f'{who} what="revoke key" whose=acme {on} user=member@example.com']
    assert again == []


def test_a_new_password_is_recorded_and_a_new_hash_is_not(
    member_client, acme, member, at_acme, deeds, settings
):
    form = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
    changed = deeds(lambda: member_client.post("/accounts/password_change/", form, **at_acme))
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
        "django.contrib.auth.hashers.MD5PasswordHasher",
    ]
    member_client.logout()
    form = {"username": member.email, "password": NEW}
    signed_in = deeds(lambda: member_client.post(SIGN_IN, form, **at_acme))

    assert changed == ['who=member:member@example.com what="set password" whose=acme on=member@example.com']
    assert [line.partition("what=")[2].split(" whose")[0] for line in signed_in] == ['"sign in"']
    with tenant_context(acme):
        assert User.objects.get(pk=member.pk).password.startswith("pbkdf2")


def test_rights_that_are_given_in_the_admin_are_recorded(admin_client, acme, member, at_acme, deeds):
    form = {"email": member.email, "is_active": "on", "is_staff": "on"}
    with tenant_context(acme):
        group = Group.objects.create(name="editors")

    given = deeds(lambda: admin_client.post(f"/admin/accounts/user/{member.pk}/change/", form, **at_acme))
    chosen = {"action": "delete_selected", "_selected_action": [group.pk], "post": "yes"}
    gone = deeds(lambda: admin_client.post("/admin/auth/group/", chosen, **at_acme))

    (line,) = given
    assert line.startswith(
        'who=member:boss@example.com what="change in admin" whose=acme on=member@example.com kind=user '
    )
    assert "Staff" in line
    assert gone == ['who=member:boss@example.com what="delete group" whose=acme on=editors']
