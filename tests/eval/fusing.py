"""What other fusions of the same rankings would find: `python -m tests.eval.fusing`, after `make eval`.

Prints, for each space and collection, MRR@10 of the halves and of each fusion. Nothing is searched again.
"""

import json
import os
from collections.abc import Callable, Sequence
from statistics import fmean as mean
from typing import Any

import django
import numpy as np

type Ranking = Sequence[tuple[str, float]]
type Scores = dict[str, float]

DEPTH = 10


def main() -> None:
    """Read what `make eval` kept, and print a table for each space."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    django.setup()
    from tests.eval.remembering import FOLDER
    from tests.eval.tasks import make_tasks

    rankings = json.loads((FOLDER / "rankings.json").read_text())
    tasks, _ = make_tasks()
    for space, found in rankings.items():
        print(f"\n{space:<15}" + "".join(f"{name:>11}" for name in ("semantic", "keyword", *FUSIONS)))
        rows = [_measure(task, found[task.name]) for task in tasks if task.name in found]
        for task, row in zip(tasks, rows, strict=True):
            print(f"{task.name:<15}" + _format(row))
        print(f"{'average':<15}" + _format([mean(column) for column in zip(*rows, strict=True)]))
        worst = [min(row[place] - max(row[:2]) for row in rows) for place in range(len(rows[0]))]
        print(f"{'worst':<15}" + _format(worst) + "  below the better half")


def _format(row: Sequence[float]) -> str:
    return "".join(f"{value:>11.3f}" for value in row)


def _measure(task: Any, found: dict[str, list[Ranking]]) -> list[float]:
    pairs = list(zip(found["semantic"], found["keyword"], task.queries, strict=True))
    columns: list[Callable[[Ranking, Ranking], Any]] = [
        lambda nearest, worded: dict(nearest),
        lambda nearest, worded: dict(worded),
        *FUSIONS.values(),
    ]
    return [
        mean(_reciprocal_rank(fuse(nearest, worded), wanted) for nearest, worded, (_, wanted) in pairs)
        for fuse in columns
    ]


def _reciprocal_rank(scores: Scores, wanted: str) -> float:
    first = sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:DEPTH]
    place = next((place for place, (key, _) in enumerate(first, 1) if key == wanted), 0)
    return 1 / place if place else 0.0


def _add(one: Scores, other: Scores, weight: float = 0.5) -> Scores:
    """Return the sum, of which `other` has this weight."""
    return {
        key: (1 - weight) * one.get(key, 0.0) + weight * other.get(key, 0.0) for key in one.keys() | other
    }


def _to_ranks(ranking: Ranking, k: int = 60) -> Scores:
    return {key: 1 / (k + rank) for rank, (key, _) in enumerate(ranking, 1)}


def _to_unit(ranking: Ranking, floor: float | None = None) -> Scores:
    if not ranking:
        return {}
    values = [score for _, score in ranking]
    low, high = min(values) if floor is None else floor, max(values)
    return {key: (score - low) / (high - low) if high > low else 1.0 for key, score in ranking}


def _to_deviations(ranking: Ranking) -> Scores:
    """Scale as distribution-based score fusion does: the mean is .5, three deviations above it are 1."""
    values = np.array([score for _, score in ranking])
    if len(values) < 2 or not values.std():
        return dict.fromkeys((key for key, _ in ranking), 1.0)
    scaled = 0.5 + (values - values.mean()) / (6 * values.std())
    return {key: value for (key, _), value in zip(ranking, scaled.tolist(), strict=True)}


def _cut(window: int, scale: Callable[[Ranking], Scores], weight: float = 0.5) -> Any:
    return lambda nearest, worded: _add(scale(nearest[:window]), scale(worded[:window]), weight)


def _words_from_zero(window: int, weight: float = 0.5, beyond: float = 0.0) -> Any:
    """Scale words from zero; take the floor of meaning so far beyond the last score."""

    def fuse(nearest: Ranking, worded: Ranking) -> Scores:
        nearest, floor = nearest[:window], None
        if nearest and beyond:
            floor = nearest[-1][1] - beyond * (nearest[0][1] - nearest[-1][1])
        return _add(_to_unit(nearest, floor), _to_unit(worded[:window], 0.0), weight)

    return fuse


FUSIONS: dict[str, Callable[[Ranking, Ranking], Scores]] = {
    "rrf 100": _cut(100, _to_ranks),
    "mm 300": _cut(300, _to_unit),
    "0 100": _words_from_zero(100),
    "0 100 .65": _words_from_zero(100, 0.65),
    "0 100 .75": _words_from_zero(100, 0.75),
    "0 100 .85": _words_from_zero(100, 0.85),
    "100+.5 .75": _words_from_zero(100, 0.75, 0.5),
    "100+.5 .85": _words_from_zero(100, 0.85, 0.5),
}

if __name__ == "__main__":
    main()
