"""What a switch will take: counted in the searched space, and tried in the target with a few texts."""

from dataclasses import dataclass
from decimal import Decimal
from time import perf_counter
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Sum
from django.db.models.functions import Length

from apps.search.embedders import EmbeddingError, InvalidTextError, get_limits
from apps.search.embedders.tokenizing import BYTES_PER_TOKEN
from apps.search.indexes.registry import get_index_names
from apps.search.indexing.batches import count_objects
from apps.search.spaces.live_spaces import get_searched_space
from apps.search.spaces.space import get_space

SAMPLE = 16  # texts that are embedded to see how long it takes


@dataclass(frozen=True)
class Estimate:
    """A forecast. `seconds` and `cost` are None where nobody knows; `fault` says why."""

    objects: int
    documents: int
    tokens: int
    seconds: float | None = None
    cost: Decimal | None = None
    fault: str = ""


def estimate_switch(target: str) -> Estimate:
    """Return what it takes to fill a space with what the bound tenant searches now.

    Embeds up to SAMPLE stored texts in the target, which costs as much as a few searches. Supposes that the
    number of chunks stays the same.
    """
    searched = get_searched_space()
    rows: Any = get_space(searched).model.objects.filter(space=searched)
    documents = rows.count()
    characters = rows.aggregate(total=Sum(Length("content")))["total"] or 0
    objects = sum(count_objects(index_name) for index_name in get_index_names())
    tokens = characters // BYTES_PER_TOKEN
    try:
        seconds = _measure(target, list(rows.values_list("content", flat=True)[:SAMPLE])) * documents
        price = get_limits(target).price_per_million_tokens
    except (EmbeddingError, InvalidTextError, ImproperlyConfigured) as error:
        return Estimate(objects, documents, tokens, fault=str(error))
    cost = None if price is None else price * tokens / 1_000_000
    return Estimate(objects, documents, tokens, round(seconds, 1), cost)


def _measure(target: str, sample: list[str]) -> float:
    """Seconds for one text."""
    if not sample:
        return 0.0
    embedder = get_space(target).embedder
    embedder.embed_documents(sample[:1])  # weights are loaded with the first text
    started = perf_counter()
    embedder.embed_documents(sample)
    return (perf_counter() - started) / len(sample)
