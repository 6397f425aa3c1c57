"""Fewer rows that say the same thing: maximal marginal relevance.

Carbonell and Goldstein, "The Use of MMR, Diversity-Based Reranking for Reordering Documents and Producing
Summaries", 1998.
"""

from collections.abc import Callable

import numpy as np

type Similarity = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _cosine(rows: np.ndarray, row: np.ndarray) -> np.ndarray:
    return rows @ row / (np.linalg.norm(rows, axis=1) * np.linalg.norm(row))


# By the metric's name: how much a row and each of several rows are alike, on the scale of the metric's score.
SIMILARITIES: dict[str, Similarity] = {
    "cosine": _cosine,
    "l2": lambda rows, row: 1 / (1 + np.linalg.norm(rows - row, axis=1)),
    "ip": lambda rows, row: rows @ row,
    "l1": lambda rows, row: 1 / (1 + np.abs(rows - row).sum(axis=1)),
}


def diversify(
    scores: np.ndarray, vectors: np.ndarray, *, limit: int, balance: float, similarity: Similarity
) -> list[int]:
    """Return the positions of up to `limit` candidates, each the best addition to those before it.

    `scores` has the shape (candidates,), `vectors` (candidates, dimensions). The best candidate has the
    largest balance * score - (1 - balance) * (its largest similarity to one that was picked); of equals, the
    first.
    """
    alike = np.zeros(len(scores))
    picked: list[int] = []
    is_left = np.ones(len(scores), dtype=bool)
    while len(picked) < min(limit, len(scores)):
        value = np.where(is_left, balance * scores - (1 - balance) * alike, -np.inf)
        best = int(value.argmax())
        to_best = similarity(vectors, vectors[best])
        alike = np.maximum(alike, to_best) if picked else to_best
        is_left[best] = False
        picked.append(best)
    return picked
