"""Attacks on the tenants' own spaces, for `manage.py prove_isolation`."""

from typing import TYPE_CHECKING

from django.conf import settings
from django.urls import reverse

from apps.search.embedders import list_aliases
from apps.search_own_spaces.encryption import UndecryptableError, decrypt
from apps.search_own_spaces.entries import find_entry, forget_entry
from apps.search_own_spaces.models import OwnSpace

if TYPE_CHECKING:
    from apps.operations.isolation.party import Party


def plant_space(party: "Party") -> OwnSpace:
    """Make a space at an address that nobody has, with the token for a key; nothing is asked."""
    space = OwnSpace(
        alias=f"own-{party.token}", base_url=f"https://{party.token}.invalid/v1", model="x", dimensions=8
    )
    space.set_key(party.token)
    space.save()

    def forget() -> None:
        with party.bound():
            forget_entry(space.alias)

    party.cleanup.callback(forget)  # what this process remembers is not rolled back
    return space


def read_own_spaces(victim: "Party", attacker: "Party") -> bool:
    """ORM: the victim's own space."""
    return OwnSpace.objects.filter(alias=victim.of(plant_space).alias).exists()


def find_own_space(victim: "Party", attacker: "Party") -> bool:
    """The entry by which the search would use the victim's endpoint and key."""
    alias = victim.of(plant_space).alias
    return find_entry(alias) is not None or alias in list_aliases()


def decrypt_transplanted_key(victim: "Party", attacker: "Party") -> bool:
    """The victim's encrypted key in a row of the attacker's own that is otherwise equal."""
    stolen = victim.of(plant_space)
    row = OwnSpace(alias=stolen.alias, base_url=stolen.base_url, encrypted_key=stolen.encrypted_key)
    options = row.make_options()
    try:
        return decrypt(options["encrypted_key"], *options["key_purpose"]) == victim.token
    except UndecryptableError:
        return False


def list_own_spaces_in_api(victim: "Party", attacker: "Party") -> bool:
    """The API's list of spaces, signed in as the attacker's own user."""
    victim.of(plant_space)
    path = reverse("api-1:list_every_space", urlconf=settings.ROOT_URLCONF)
    return victim.token.encode() in attacker.get(path, session=attacker.session).content


ATTACKS = [read_own_spaces, find_own_space, decrypt_transplanted_key, list_own_spaces_in_api]
