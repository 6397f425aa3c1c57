"""What the parts of a search take in one process, without a server: the baseline of all pages."""

import random
from collections.abc import Callable
from statistics import median
from time import perf_counter

import numpy as np

from apps.search import get_provider
from apps.search.searching.hybrid import WINDOW, search_by_mode, search_keywords
from tenants.context import tenant_context
from tenants.models import Tenant
from tests.bench_http.clients import make_query

INDEX = "articles"
TOP = 10


def measure_parts(tenants: list[Tenant], count: int) -> dict[str, float]:
    """Return the median milliseconds of each part: `count` times, by turns, in one tenant after another."""
    taken: dict[str, list[float]] = {name: [] for name in _PARTS}
    chance = random.Random(1)
    for number in range(count + len(tenants)):
        with tenant_context(tenants[number % len(tenants)]):
            for name, do in _PARTS.items():
                began = perf_counter()
                do(make_query(chance))
                if number >= len(tenants):  # in the first round, everything is new to the session
                    taken[name].append((perf_counter() - began) * 1e3)
    return {name: median(times) for name, times in taken.items()}


def _embed(query: str) -> object:
    return get_provider(INDEX).embedder.embed_query(query)


def _search_vectors(query: str) -> object:
    provider = get_provider(INDEX)
    vector = np.ones(provider.embedder.dimensions)
    return list(provider.nearest(vector)[:WINDOW].values_list("pk", "score"))


def _search_words(query: str) -> object:
    return list(search_keywords(get_provider(INDEX), query)[:WINDOW].values_list("pk", "score"))


def _search_both(query: str) -> object:
    return list(search_by_mode(get_provider(INDEX), query, "hybrid")[:TOP])


_PARTS: dict[str, Callable[[str], object]] = {
    "embedding": _embed,
    "half by vectors": _search_vectors,
    "half by words": _search_words,
    "hybrid": _search_both,
}
