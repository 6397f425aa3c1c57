"""How much the bound tenant may ask of an embedding service in a minute, and that it waits when told to.

All workers count in one row of the database for each space. A space's LIMITS (`requests_per_minute`,
`tokens_per_minute`) hold for each tenant by itself.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from apps.search.embedders import EmbeddingUnavailableError, get_limits
from apps.search.embedders.tokenizing import estimate_count
from apps.search.models import ServiceBudget

MINUTE = timedelta(minutes=1)


def spend(space: str, texts: Sequence[str]) -> None:
    """Count one request with these texts. Raises EmbeddingUnavailableError if it must wait, and how long."""
    limits = get_limits(space)
    requests, tokens = limits.requests_per_minute, limits.tokens_per_minute
    if requests is None and tokens is None:
        held = ServiceBudget.objects.filter(space=space, held_until__gt=timezone.now()).first()
        return _refuse_held(held) if held else None
    with transaction.atomic():
        budget = ServiceBudget.objects.select_for_update().get_or_create(space=space)[0]
        _refuse_held(budget)
        if budget.minute is None or timezone.now() - budget.minute >= MINUTE:
            budget.minute, budget.requests, budget.tokens = timezone.now(), 0, 0
        _take(budget, "requests", 1, requests)
        _take(budget, "tokens", sum(map(estimate_count, texts)), tokens)
        budget.save()
    return None


def hold(space: str, error: EmbeddingUnavailableError) -> None:
    """Keep all workers from asking the service for as long as the error says, if it does."""
    if error.retry_after:
        held_until = timezone.now() + timedelta(seconds=error.retry_after)
        values = {"held_until": held_until, "reason": str(error)}
        ServiceBudget.objects.update_or_create(space=space, defaults=values)


def _refuse_held(budget: ServiceBudget) -> None:
    if budget.held_until and (left := _seconds_to(budget.held_until)) > 0:
        raise EmbeddingUnavailableError(budget.reason, left)


def _take(budget: ServiceBudget, what: str, amount: int, limit: int | None) -> None:
    used = getattr(budget, what)
    # A request that is above the limit by itself passes as the first of a minute.
    if limit is not None and used and used + amount > limit:
        message = f"The limit of {limit:,} {what} a minute of the space {budget.space!r} is used up."
        left = _seconds_to((budget.minute or timezone.now()) + MINUTE)
        raise EmbeddingUnavailableError(message, max(1.0, left))
    setattr(budget, what, used + amount)


def _seconds_to(moment: datetime) -> float:
    return (moment - timezone.now()).total_seconds()
