"""The share of the true nearest documents that an ANN search finds, measured where it is weakest."""

from typing import Any

import numpy as np

from apps.search.storage.pgvector.ann.copies import find_copied
from apps.search.storage.pgvector.searching.nearest import NearestQuerySet
from apps.search.storage.pgvector.searching.spec import SearchSpec
from apps.search.storage.pgvector.tables.ann_index import get_declared_ann_index

SAMPLES = 20
COPIED = 4  # of the vectors that most rows share
K = 10
SAME = 1e-6  # two distances nearer to each other than this are a tie


def measure_recall(model: Any, space: str, index_name: str, *, samples: int = SAMPLES) -> float | None:
    """Return recall@10, 0 to 1, of searches carried out as users' searches are.

    Searches for random stored vectors. Those miss the places that a vector with many copies hides, so it also
    searches round such vectors, at 45 degrees; the lower mean counts. Compares with an exact
    search; a document as near as the exact tenth counts as found. None when nothing is stored.
    """
    rows = model.objects.filter(space=space, index_name=index_name)
    stored = _read_vectors(rows, list(rows.order_by("?").values_list("pk", flat=True)[:samples]))
    copied = []
    if stored and get_declared_ann_index(model) is None:
        found = find_copied(model, space, index_name, len(stored[0]))
        copied = _read_vectors(rows, list(found.values())[:COPIED])
    noise = np.random.default_rng().normal(size=(samples // COPIED, len(stored[0]) if stored else 1))
    around = [
        vector / np.linalg.norm(vector) + each / np.linalg.norm(each) for vector in copied for each in noise
    ]
    means = [
        np.mean([_recall(SearchSpec.of(model, space, index_name, vector)) for vector in vectors])
        for vectors in (stored, around)
        if vectors
    ]
    return float(min(means)) if means else None


def _read_vectors(rows: Any, keys: list[Any]) -> list[np.ndarray]:
    vectors = rows.filter(pk__in=keys).values_list("vector", flat=True)
    return [np.asarray(vector, dtype=np.float32) for vector in vectors]


def _recall(spec: SearchSpec) -> float:
    nearest = NearestQuerySet.of(spec, None)
    found = [row.pk for row in nearest[:K]]
    exact = nearest[:K]
    exact.query.must_be_exact = True
    distances = [row.distance for row in exact]
    limit = distances[-1] + SAME * (1 + abs(distances[-1]))
    # An ANN index on halves computes rounded distances, so they are computed anew; without a limit, exactly.
    hits = [row for row in nearest.filter(pk__in=found) if row.distance <= limit]
    return len(hits) / len(distances)
