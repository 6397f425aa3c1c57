"""How much the bound tenant may ask of an embedding service in a minute, and when it leaves it alone.

All workers count in one row of the database for each space. A space's LIMITS (`requests_per_minute`,
`tokens_per_minute`) hold for each tenant by itself. A service that asks for a pause gets it. One that fails
several times in a row is left alone for a while, which grows; then one request finds out whether it is back
(a circuit breaker: https://martinfowler.com/bliki/CircuitBreaker.html).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from apps.search.embedders import EmbeddingUnavailableError, get_limits
from apps.search.embedders.tokenizing import estimate_count
from apps.search.models import ServiceBudget

MINUTE = timedelta(minutes=1)
FAILURES = 3  # in a row, after which a service is left alone
FIRST_PAUSE, LONGEST_PAUSE = 30.0, 3_600.0  # seconds; each failure doubles the pause
TRY = 60.0  # seconds for which all others wait for the one that finds out


@contextmanager
def asking(space: str, texts: Sequence[str]) -> Iterator[None]:
    """Ask the service for the vectors of these texts within the block, in one request that counts.

    Raises EmbeddingUnavailableError, with the seconds to wait, if it must not be asked now.
    """
    budget = spend(space, texts)
    try:
        yield
    except EmbeddingUnavailableError as error:
        hold(space, error)
        raise
    if budget and budget.failures:
        forgive(space)


def spend(space: str, texts: Sequence[str]) -> ServiceBudget | None:
    """Count one request with these texts and return the row it is counted in, if there is one.

    Raises EmbeddingUnavailableError if it must wait, and how long.
    """
    limits = get_limits(space)
    requests, tokens = limits.requests_per_minute, limits.tokens_per_minute
    if requests is None and tokens is None:
        if found := ServiceBudget.objects.filter(space=space).first():
            _refuse_held(found)
            _try_alone(found)
        return found
    with transaction.atomic():
        budget = ServiceBudget.objects.select_for_update().get_or_create(space=space)[0]
        _refuse_held(budget)
        _try_alone(budget)
        if budget.minute is None or timezone.now() - budget.minute >= MINUTE:
            budget.minute, budget.requests, budget.tokens = timezone.now(), 0, 0
        _take(budget, "requests", 1, requests)
        _take(budget, "tokens", sum(map(estimate_count, texts)), tokens)
        budget.save()
    return budget


def hold(space: str, error: EmbeddingUnavailableError) -> None:
    """Keep all workers from asking the service for as long as the error says, or after several failures."""
    with transaction.atomic():
        budget = ServiceBudget.objects.select_for_update().get_or_create(space=space)[0]
        pause = error.retry_after or 0.0
        if not pause:
            budget.failures = min(budget.failures + 1, FAILURES + 20)
        if not pause and budget.failures >= FAILURES:
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (budget.failures - FAILURES))
        if pause:
            budget.held_until, budget.reason = timezone.now() + timedelta(seconds=pause), str(error)
        budget.save()


def forgive(space: str) -> None:
    """Note that the service of a space answers again, even if it has just asked for a pause."""
    ServiceBudget.objects.filter(space=space).update(failures=0, held_until=None)


def _refuse_held(budget: ServiceBudget) -> None:
    if budget.held_until and (left := _seconds_to(budget.held_until)) > 0:
        raise EmbeddingUnavailableError(budget.reason, left)


def _try_alone(budget: ServiceBudget) -> None:
    """After a pause, let one request through; raise EmbeddingUnavailableError for others meanwhile."""
    if budget.failures < FAILURES:
        return
    same = ServiceBudget.objects.filter(pk=budget.pk, held_until=budget.held_until)
    budget.held_until = timezone.now() + timedelta(seconds=TRY)
    if not same.update(held_until=budget.held_until):
        raise EmbeddingUnavailableError(budget.reason, TRY)


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
