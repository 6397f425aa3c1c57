"""Attacks on the audit logs, for `manage.py prove_isolation`."""

from typing import TYPE_CHECKING

from apps.audit.exporting import write_json
from apps.audit.models import Deed
from tenants.audit import record

if TYPE_CHECKING:
    from apps.operations.isolation.party import Party


def plant_deed(party: "Party") -> str:
    """Do a deed on the token."""
    record("plant", party.token)
    return party.token


def read_deeds(victim: "Party", attacker: "Party") -> bool:
    """ORM: the victim's deeds."""
    return Deed.objects.filter(on=victim.of(plant_deed)).exists()


def export_deeds(victim: "Party", attacker: "Party") -> bool:
    """The file of all deeds."""
    token = victim.of(plant_deed)
    return any(token in line for line in write_json(Deed.objects.iterator()))


ATTACKS = [read_deeds, export_deeds]
