"""How good a ranking is, and how sure one can be of a mean over few queries.

A ranking is a sequence of keys, the best first and each once. A grade says what a relevant key is worth; a
key without a grade is worth nothing.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import log2
from typing import Any

import numpy as np

Ranking = Sequence[Hashable]

RESAMPLES = 2_000
FEWEST = 5  # values; from fewer no interval is worth its name


@dataclass(frozen=True)
class Interval:
    """A mean with the ends of its 95% confidence interval."""

    mean: float
    low: float
    high: float

    @property
    def is_noise(self) -> bool:
        """Whether a mean difference may as well be none: the interval holds zero."""
        return self.low <= 0 <= self.high


def find_rank(ranking: Ranking, relevant: Collection[Hashable]) -> int | None:
    """Return the rank, from 1, of the first relevant key, None when there is none."""
    return next((rank for rank, key in enumerate(ranking, 1) if key in relevant), None)


def get_recall(ranking: Ranking, relevant: Collection[Hashable], k: int = 10) -> float:
    """Return recall@k: the share of the relevant keys that are among the first k.

    |first k and relevant| / |relevant|, as in Manning, Raghavan and Schütze, Introduction to Information
    Retrieval (2008), chapter 8. Raises ValueError when nothing is relevant.
    """
    wanted = _require(relevant)
    return len(wanted.intersection(ranking[:k])) / len(wanted)


def get_reciprocal_rank(ranking: Ranking, relevant: Collection[Hashable], k: int = 10) -> float:
    """Return 1 / rank of the first relevant key, 0 when there is none among the first k.

    Its mean over queries is the mean reciprocal rank, MRR@k: Voorhees, The TREC-8 Question Answering Track
    Report (1999). Raises ValueError when nothing is relevant.
    """
    rank = find_rank(ranking[:k], _require(relevant))
    return 1 / rank if rank else 0.0


def get_ndcg(ranking: Ranking, grades: Mapping[Any, float], k: int = 10) -> float:
    """Return nDCG@k: the discounted cumulative gain divided by that of the best possible ranking.

    DCG@k = sum of grade(rank) / log2(1 + rank) for rank 1 to k. Järvelin and Kekäläinen, Cumulated gain-based
    evaluation of IR techniques (2002); the gain is the grade itself, as there, and rank 2 is discounted
    already, as in trec_eval. Raises ValueError when no grade is above 0.
    """
    best = sorted(grades.values(), reverse=True)
    _require([grade for grade in best if grade > 0])
    return _get_dcg([grades.get(key, 0) for key in ranking[:k]]) / _get_dcg(best[:k])


def get_overlap(one: Ranking, other: Ranking, k: int = 10) -> float:
    """Return overlap@k: the share of the first k keys that two rankings have in common, in whatever order.

    |both| / k, where a list is shorter than k the length of the longer one; 1 when both are empty. See Fagin,
    Kumar and Sivakumar, Comparing top k lists (2003).
    """
    first, second = set(one[:k]), set(other[:k])
    longest = max(len(first), len(second))
    return len(first & second) / longest if longest else 1.0


def estimate_mean(values: Sequence[float], *, floor: float = 0.0) -> Interval:
    """Return the mean of values between `floor` and 1 with its 95% confidence interval.

    The percentile bootstrap of Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13,
    with a fixed seed: equal values give equal intervals. For fewer than 5 values the interval is the whole
    range from `floor` to 1. Raises ValueError for no values.
    """
    if not values:
        raise ValueError("values is empty; a mean needs one or more.")
    if len(values) < FEWEST:
        return Interval(float(np.mean(values)), floor, 1.0)
    sample = np.asarray(values, dtype=float)
    draws = np.random.default_rng(0).integers(len(sample), size=(RESAMPLES, len(sample)))
    low, high = np.quantile(sample[draws].mean(axis=1), [0.025, 0.975])
    return Interval(float(sample.mean()), float(low), float(high))


def estimate_difference(one: Mapping[str, float], other: Mapping[str, float]) -> Interval | None:
    """Return how much larger the scores of `one` are in the mean, over the keys that both have.

    A paired bootstrap: Sakai, Evaluating evaluation metrics based on the bootstrap (2006). None when they
    have no key in common.
    """
    differences = [one[key] - other[key] for key in sorted(one.keys() & other.keys())]
    return estimate_mean(differences, floor=-1.0) if differences else None


def _get_dcg(gains: Sequence[float]) -> float:
    return sum(gain / log2(1 + rank) for rank, gain in enumerate(gains, 1))


def _require(relevant: Collection[Hashable]) -> set[Hashable]:
    if not relevant:
        raise ValueError("Nothing is relevant, so there is nothing to find.")
    return set(relevant)
