"""Attacks on golden queries and recent searches, for `manage.py prove_isolation`."""

from typing import TYPE_CHECKING

from django.conf import settings
from django.urls import reverse

from apps.search.indexes.registry import get_default_index
from apps.search_quality.models import GoldenAnswer, GoldenQuery, RecentQuery, make_digest

if TYPE_CHECKING:
    from apps.operations.isolation.party import Party


def plant_golden(party: "Party") -> GoldenQuery:
    """Save a golden query and a recent one that hold the token."""
    index = get_default_index()
    digest = make_digest(index, party.token, "semantic")
    RecentQuery.objects.create(index_name=index, query=party.token, mode="semantic", digest=digest)
    golden = GoldenQuery.objects.create(index_name=index, query=party.token)
    GoldenAnswer.objects.create(golden_query=golden, key=party.token)
    return golden


def read_golden(victim: "Party", attacker: "Party") -> bool:
    """ORM: golden queries."""
    victim.of(plant_golden)
    return GoldenQuery.objects.filter(query=victim.token).exists()


def read_recent(victim: "Party", attacker: "Party") -> bool:
    """ORM: recent searches."""
    victim.of(plant_golden)
    return RecentQuery.objects.filter(query=victim.token).exists()


def open_quality_page(victim: "Party", attacker: "Party") -> bool:
    """The page of search quality, signed in as the attacker's own user."""
    return _is_shown_at("search_quality", victim, attacker)


def list_golden_in_api(victim: "Party", attacker: "Party") -> bool:
    """The API's list of golden queries, signed in as the attacker's own user."""
    return _is_shown_at("api-1:list_golden", victim, attacker)


def _is_shown_at(name: str, victim: "Party", attacker: "Party") -> bool:
    victim.of(plant_golden)
    page = attacker.get(reverse(name, urlconf=settings.ROOT_URLCONF), session=attacker.session)
    return victim.token.encode() in page.content


ATTACKS = [read_golden, read_recent, open_quality_page, list_golden_in_api]
