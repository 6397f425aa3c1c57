"""The share of the true nearest documents that an ANN search finds, measured on stored vectors."""

from typing import Any

import numpy as np

from apps.search.storage.pgvector.searching.nearest import NearestQuerySet
from apps.search.storage.pgvector.searching.spec import SearchSpec

SAMPLES = 20
K = 10
SAME = 1e-6  # two distances nearer to each other than this are a tie


def measure_recall(model: Any, space: str, index_name: str, *, samples: int = SAMPLES) -> float | None:
    """Return recall@10, 0 to 1, of searches for stored vectors, carried out as users' searches are.

    Compares them with an exact search; a document as near as the exact tenth counts as found. None when
    nothing is stored.
    """
    rows = model.objects.filter(space=space, index_name=index_name)
    keys = list(rows.order_by("?").values_list("pk", flat=True)[:samples])
    recalls = [
        _recall(SearchSpec.of(model, space, index_name, np.asarray(vector, dtype=np.float32)))
        for vector in rows.filter(pk__in=keys).values_list("vector", flat=True)
    ]
    return sum(recalls) / len(recalls) if recalls else None


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
