"""Plants a canary in each party and lets every other one look for it.

An app brings its attacks in a module `isolation.py`:

    def read_orders(victim: Party, attacker: Party) -> bool | None: ...

    ATTACKS = [read_orders]

An attack is called with the attacker bound. It returns whether it found what belongs to the victim, or None
where it does not apply. It must find it when the victim is also the attacker; otherwise it proves nothing.
`victim.of(plant)` plants something once for each party. Other apps import `Party` for type checkers only, so
that this app can be left out.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product

from django.core.exceptions import (
    ImproperlyConfigured,
    ObjectDoesNotExist,
    PermissionDenied,
    SuspiciousOperation,
)
from django.db import Error, transaction
from django.test import override_settings

from apps.operations.isolation.party import Party
from apps.operations.isolation.report import Leak, Report
from tenants.context import NoTenantError, TenantMismatchError
from tenants.discovery import ExtensionPoint, list_attribute
from tenants.models import Tenant

type Attack = Callable[[Party, Party], bool | None]

POINT = ExtensionPoint("isolation", list_attribute("ATTACKS", "functions", callable))

# What a guard answers. An attack that is at fault itself is found out, since it is refused at home, too.
REFUSALS = (
    NoTenantError,
    TenantMismatchError,
    ObjectDoesNotExist,
    PermissionDenied,
    SuspiciousOperation,
    Error,
)
REFUSED = "refused"


def load_attacks() -> dict[str, Attack]:
    """Return the attacks of all apps by name. Raises ImproperlyConfigured for two of one name."""
    attacks: dict[str, Attack] = {}
    for _, module in POINT.load():
        for attack in module.ATTACKS:
            if attack.__name__ in attacks:
                raise ImproperlyConfigured(
                    f"Two attacks are named {attack.__name__!r}. Rename the one in {module.__name__}."
                )
            attacks[attack.__name__] = attack
    return attacks


def prove(tenants: Sequence[Tenant], note: Callable[[str], object] = lambda line: None) -> Report:
    """Try each attack from each tenant, and from no tenant, on every other tenant.

    Everything happens in one transaction, which is rolled back; cached keys and files are deleted. `note` is
    called with a line for each step. Raises ImproperlyConfigured as load_attacks does, and any error of an
    attack that is not a refusal.
    """
    attacks = load_attacks()
    victims = [Party(tenant) for tenant in tenants]
    attackers = [*victims, Party()]
    report = Report([str(party) for party in attackers], list(attacks))
    start = time.monotonic()
    # With rate limits, a refused page would hide what it shows.
    with _quietly(), override_settings(RATE_LIMITS={}), _undone(attackers):
        for victim in victims:  # first, since this also plants
            note(f"{victim}: planting")
            for name, attack in attacks.items():
                if _try(attack, victim, victim) in (False, REFUSED):
                    report.blind.append((name, str(victim)))
        for victim, attacker in product(victims, attackers):
            if attacker is not victim:
                note(f"{attacker} attacks {victim}")
                for name, attack in attacks.items():
                    found = _try(attack, victim, attacker)
                    report.tried[name] += found is not None
                    report.refused[name] += found == REFUSED
                    if found is True:
                        report.leaks.append(Leak(name, str(victim), str(attacker)))
    report.seconds = time.monotonic() - start
    return report


def _try(attack: Attack, victim: Party, attacker: Party) -> bool | str | None:
    try:
        with attacker.bound(), transaction.atomic():
            return attack(victim, attacker)
    except REFUSALS:
        return REFUSED


@contextmanager
def _undone(parties: Sequence[Party]) -> Iterator[None]:
    with transaction.atomic():
        try:
            yield
        finally:
            for party in parties:
                with party.bound():
                    party.cleanup.close()
            transaction.set_rollback(True)


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep missing pages, which are what is wanted here, out of the log."""
    logger = logging.getLogger("django.request")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
