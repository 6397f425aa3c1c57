"""One ranking out of several.

A ranking is a list of (id, score), the best first. When an id is in a ranking twice, the first counts.
Equal scores are ordered by id, so that equal input gives equal output.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from django.db.models import BooleanField, F, FloatField, Func, QuerySet, Value

from apps.search.embedders import OptionGroup
from apps.search.options.values import is_number
from apps.search.storage.pgvector.ranking.by_key import ValueByKey

type Ranking = Sequence[tuple[int, float]]


def fuse_ranks(
    rankings: Sequence[Ranking], k: int = 60, weights: Sequence[float] | None = None
) -> list[tuple[int, float]]:
    """Return the reciprocal rank fusion: each ranking gives its ids weight / (k + rank).

    Ranks count from 1; the scores given are not used, only their order. Cormack, Clarke and Büttcher,
    "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning Methods", 2009. Raises
    ValueError for weights that do not fit.
    """
    if k < 0:
        raise ValueError(f"k is {k!r}; it must be 0 or more.")
    parts = [
        {pk: 1 / (k + rank) for rank, pk in enumerate(dict.fromkeys(pk for pk, _ in ranking), 1)}
        for ranking in rankings
    ]
    return _add(parts, weights)


def fuse_scores(
    rankings: Sequence[Ranking],
    weights: Sequence[float] | None = None,
    floors: Sequence[float | None] | None = None,
) -> list[tuple[int, float]]:
    """Return the weighted sum of scores, after scaling each ranking's to 0 (its floor) to 1 (its first).

    A ranking's floor is its last score, unless `floors` has a number for it. An id that a ranking lacks gets
    0 from it; when all scores of a ranking equal its floor, each becomes 1. Raises ValueError for weights
    that do not fit.
    """
    parts = zip(rankings, floors or [None] * len(rankings), strict=True)
    return _add([_to_unit(dict(reversed(ranking)), floor) for ranking, floor in parts], weights)


class AmongIds(Func):
    """Whether a row's primary key is one of those given, sent as one parameter."""

    template = "%(expressions)s::bigint[])"
    arg_joiner = " = ANY("
    output_field = BooleanField()

    def __init__(self, ids: Sequence[int]) -> None:
        super().__init__(F("pk"), Value(list(ids)))


def in_fused_order(rows: QuerySet, fused: Ranking) -> QuerySet:
    """Return the rows of these ids with `score`, the best first: lazily, in one query."""
    ids, scores = [pk for pk, _ in fused], [score for _, score in fused]
    score = ValueByKey(ids, scores, FloatField())
    return rows.filter(AmongIds(ids)).annotate(score=score).order_by("-score", "pk")


def _add(parts: Sequence[dict[int, float]], weights: Sequence[float] | None) -> list[tuple[int, float]]:
    total: dict[int, float] = {}
    for part, weight in zip(parts, _check(weights, len(parts)), strict=True):
        for pk, score in part.items():
            total[pk] = total.get(pk, 0.0) + weight * score
    return sorted(total.items(), key=lambda item: (-item[1], item[0]))


def _check(weights: Sequence[float] | None, count: int) -> Sequence[float]:
    if weights is None:
        return [1.0] * count
    usable = all(math.isfinite(weight) and weight >= 0 for weight in weights)
    if len(weights) != count or not usable or not (count == 0 or any(weights)):
        raise ValueError(
            f"weights are {weights!r}; give {count} finite numbers of 0 or more, not all of them 0."
        )
    return weights


def _to_unit(scores: dict[int, float], floor: float | None) -> dict[int, float]:
    if not scores:
        return {}
    lowest, highest = min(scores.values()) if floor is None else floor, max(scores.values())
    if lowest == highest:
        return dict.fromkeys(scores, 1.0)
    return {pk: (score - lowest) / (highest - lowest) for pk, score in scores.items()}


# Of two rankings, by meaning and by words. Without any of the words a document has the score 0 by words, and
# even the last of those that have one is better. By meaning, no score says that nothing is in common.
FUSIONS: dict[str, Callable[..., list[tuple[int, float]]]] = {
    "rrf": fuse_ranks,
    "minmax": partial(fuse_scores, floors=(None, 0.0)),
}


def check_fusion_options(options: Mapping[str, object]) -> None:
    """Raise ValueError, naming the option, its value and what is allowed, for a bad fusion option."""
    fusion, weights = options.get("fusion", "minmax"), options.get("fusion_weights", (1, 1))
    if fusion not in FUSIONS:
        raise ValueError(f"fusion is {fusion!r}; allowed: {', '.join(FUSIONS)}.")
    is_pair = isinstance(weights, list | tuple) and len(weights) == 2
    numbers = [each for each in weights if is_number(each) and 0 <= each <= 1000] if is_pair else []  # type: ignore[attr-defined]
    if len(numbers) != 2 or not any(numbers):
        raise ValueError(
            f"fusion_weights is {weights!r}; allowed: two numbers from 0 to 1000, for meaning and for words, "
            "of which one is more than 0."
        )


# OPTIONS of a space: how its hybrid search fuses, and what meaning and words count.
options_of_fusion = OptionGroup(("fusion", "fusion_weights"), check_fusion_options)
