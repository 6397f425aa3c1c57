"""Attacks over whole pages, in which several apps take part: see apps.operations.isolation.database."""

from typing import TYPE_CHECKING

from django.conf import settings
from django.urls import reverse
from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from apps.operations.isolation.party import Party

plant_key = import_string("apps.accounts.isolation.plant_key")
plant_documents = import_string("apps.search.isolation.plant_documents")


def open_account_with_others_session(victim: "Party", attacker: "Party") -> bool:
    """The account page, with the victim's session cookie."""
    return _shows(attacker, "account", victim, session=victim.session)


def open_admin_with_others_session(victim: "Party", attacker: "Party") -> bool:
    """The admin, with the victim's session cookie; the page greets who is signed in."""
    return _shows(attacker, "admin:accounts_user_changelist", victim, session=victim.session)


def list_users_in_admin(victim: "Party", attacker: "Party") -> bool:
    """The admin's list of users, signed in as the attacker's own user."""
    victim.session  # noqa: B018  # plants the user
    return _shows(attacker, "admin:accounts_user_changelist", victim, session=attacker.session)


def call_api_with_others_key(victim: "Party", attacker: "Party") -> bool | None:
    """The search API, with the victim's key; None where it answers anybody."""
    if attacker.tenant and attacker.tenant.search_is_public:
        return None
    victim.of(plant_documents)
    headers = {"authorization": f"Bearer {victim.of(plant_key)}"}
    query = {"q": victim.word, "mode": "keyword"}
    return attacker.get(_path("api-1:search"), query=query, headers=headers).status_code == 200


def _shows(attacker: "Party", name: str, victim: "Party", *, session: str) -> bool:
    return victim.token.encode() in attacker.get(_path(name), session=session).content


def _path(name: str) -> str:
    return reverse(name, urlconf=settings.ROOT_URLCONF)


ATTACKS = [
    open_account_with_others_session,
    open_admin_with_others_session,
    list_users_in_admin,
    call_api_with_others_key,
]
