"""Attacks on accounts, for `manage.py prove_isolation`."""

from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.http import HttpRequest
from django.test import Client, override_settings
from django.urls import reverse

from apps.accounts.access.api_auth import MemberAuth
from apps.accounts.access.rate_limits import count
from apps.accounts.invitations import make_password_path
from apps.accounts.models import ApiKey, User

if TYPE_CHECKING:
    from apps.operations.isolation.party import Party

LIMITED = "isolation"


def plant_member(party: "Party") -> User:
    """Make a member with a name that is the token."""
    return User.objects.create_user(f"member-{party.email}", name=party.token)


def plant_key(party: "Party") -> str:
    """Issue an API key to the member; return the key."""
    return ApiKey.objects.issue(party.of(plant_member), "canary")[1]


def plant_reset_link(party: "Party") -> str:
    """Return the path of a link by which the member sets a password."""
    return make_password_path(party.of(plant_member))


def plant_spent_limit(party: "Party") -> str:
    """Try once where no more is allowed; return who did."""
    with override_settings(RATE_LIMITS={LIMITED: "1/d"}):
        count(LIMITED, party.email)
    return party.email


def plant_clerk(party: "Party") -> tuple[Group, str]:
    """Make a member of staff whose group may change groups; return the group, and the key of a session."""
    group = Group.objects.create(name=party.token)
    clerk = User.objects.create_user(f"clerk-{party.email}", is_staff=True)
    clerk.groups.add(group)
    client = Client()
    client.force_login(clerk)
    return group, client.cookies[settings.SESSION_COOKIE_NAME].value


def authenticate_with_others_key(victim: "Party", attacker: "Party") -> bool:
    """The API's own check of a key."""
    return MemberAuth().authenticate(HttpRequest(), victim.of(plant_key)) is not None


def read_keys(victim: "Party", attacker: "Party") -> bool:
    """ORM: the victim's API key."""
    return ApiKey.objects.filter(prefix=victim.of(plant_key)[:8]).exists()


def follow_others_reset_link(victim: "Party", attacker: "Party") -> bool:
    """A link to set a password, on the attacker's site; a valid one redirects to the form."""
    return attacker.get(victim.of(plant_reset_link)).status_code == 302


def meet_others_limit(victim: "Party", attacker: "Party") -> bool:
    """A rate limit that the victim has used up, met by the same e-mail address from the same place."""
    with override_settings(RATE_LIMITS={LIMITED: "1/d"}):
        return count(LIMITED, victim.of(plant_spent_limit))[0] > 0


def open_account_with_others_session(victim: "Party", attacker: "Party") -> bool:
    """The account page, with the victim's session cookie."""
    return _shows("account", victim, attacker, session=victim.session)


def open_admin_with_others_session(victim: "Party", attacker: "Party") -> bool:
    """The admin, with the victim's session cookie; the page greets who is signed in."""
    return _shows("admin:accounts_user_changelist", victim, attacker, session=victim.session)


def list_users_in_admin(victim: "Party", attacker: "Party") -> bool:
    """The admin's list of users, signed in as the attacker's own user."""
    victim.session  # noqa: B018  # plants the user
    return _shows("admin:accounts_user_changelist", victim, attacker, session=attacker.session)


def give_own_group_all_rights(victim: "Party", attacker: "Party") -> bool:
    """The admin's page of a group, by staff who may change groups; at home, by a superuser.

    A group with all rights may read and change what its members may not.
    """
    group, session = attacker.of(plant_clerk)
    group.permissions.set(Permission.objects.filter(codename__in=["view_group", "change_group"]))
    everything = [permission.pk for permission in Permission.objects.all()]
    attacker.post(
        reverse("admin:auth_group_change", args=[group.pk], urlconf=settings.ROOT_URLCONF),
        {"name": group.name, "permissions": everything},
        session=attacker.session if victim is attacker else session,
    )
    with attacker.bound():  # which the request has ended
        return group.permissions.count() == len(everything)


def _shows(name: str, victim: "Party", attacker: "Party", *, session: str) -> bool:
    path = reverse(name, urlconf=settings.ROOT_URLCONF)
    return victim.token.encode() in attacker.get(path, session=session).content


ATTACKS = [
    authenticate_with_others_key,
    read_keys,
    follow_others_reset_link,
    meet_others_limit,
    open_account_with_others_session,
    open_admin_with_others_session,
    list_users_in_admin,
    give_own_group_all_rights,
]
