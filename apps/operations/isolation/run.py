"""Plants a canary in each party and lets every other look for it."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from django.conf import settings
from django.core.exceptions import (
    ImproperlyConfigured,
    ObjectDoesNotExist,
    PermissionDenied,
    SuspiciousOperation,
)
from django.db import Error, transaction
from django.test import override_settings
from django.utils.module_loading import import_string

from apps.operations.isolation.party import Party
from apps.operations.isolation.report import Leak, Report
from tenants.context import NoTenantError, TenantMismatchError
from tenants.models import Tenant

Attack = Callable[[Party, Party], bool | None]

# What a guard answers. That the attack itself is sound is shown by the victim, who is not refused.
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
    """Return the attacks of settings.ISOLATION_ATTACKS by name: dotted paths of functions or lists of them.

    Raises ImproperlyConfigured for a path that leads nowhere and for two attacks of one name.
    """
    attacks: dict[str, Attack] = {}
    for path in settings.ISOLATION_ATTACKS:
        try:
            found: Any = import_string(path)
        except ImportError as error:
            raise ImproperlyConfigured(f"ISOLATION_ATTACKS: {path!r} cannot be imported: {error}.") from error
        for attack in [found] if callable(found) else found:
            if attacks.setdefault(attack.__name__, attack) is not attack:
                raise ImproperlyConfigured(f"ISOLATION_ATTACKS: two attacks are named {attack.__name__!r}.")
    return attacks


def prove(tenants: Sequence[Tenant], note: Callable[[str], object] = lambda line: None) -> Report:
    """Try each attack from each tenant, and from no tenant, on every other tenant.

    All happens in one transaction that is rolled back; cached keys and files are deleted. `note` is told of
    each step. Raises what an attack raises that is no refusal, and ImproperlyConfigured as `load_attacks`.
    """
    attacks = load_attacks()
    victims = [Party(tenant) for tenant in tenants]
    attackers = [*victims, Party()]
    report = Report([str(party) for party in attackers], list(attacks))
    start = time.monotonic()
    # A page that is refused for being asked for too often would hide what it shows.
    with _quietly(), override_settings(RATE_LIMITS={}), _undone(attackers):
        for victim in victims:  # first, since this also plants
            note(f"{victim}: planting")
            _find_own(victim, attacks, report)
        for victim in victims:
            for attacker in attackers:
                if attacker is not victim:
                    note(f"{attacker} attacks {victim}")
                    _attack(victim, attacker, attacks, report)
    report.seconds = time.monotonic() - start
    return report


def _find_own(victim: Party, attacks: dict[str, Attack], report: Report) -> None:
    for name, attack in attacks.items():
        if _try(attack, victim, victim) in (False, REFUSED):
            report.blind.append((name, str(victim)))


def _attack(victim: Party, attacker: Party, attacks: dict[str, Attack], report: Report) -> None:
    for name, attack in attacks.items():
        found = _try(attack, victim, attacker)
        report.tried[name] += found is not None
        report.refused[name] += found == REFUSED
        if found is True:
            report.leaks.append(Leak(name, str(victim), str(attacker)))


def _try(attack: Attack, victim: Party, attacker: Party) -> bool | str | None:
    try:
        with attacker.bound(), transaction.atomic():
            return attack(victim, attacker)
    except REFUSALS:
        return REFUSED


@contextmanager
def _undone(parties: Sequence[Party]) -> Iterator[None]:
    with transaction.atomic(), ExitStack() as stack:
        stack.callback(transaction.set_rollback, True)
        for party in parties:
            stack.callback(_clean, party)
        yield


def _clean(party: Party) -> None:
    with party.bound():
        party.cleanup.close()


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep out of the log that pages are missing: here that is the wish."""
    logger = logging.getLogger("django.request")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
