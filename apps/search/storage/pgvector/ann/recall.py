"""How much of the truth an index search finds, measured on the vectors that are stored."""

from typing import Any

import numpy as np

from apps.search.storage.pgvector.searching.nearest import NearestQuerySet
from apps.search.storage.pgvector.searching.spec import SearchSpec
from apps.search.storage.pgvector.searching.tuning import get_tuning
from apps.search.storage.pgvector.tables.distance import get_metric

SAMPLES = 20
K = 10
SAME = 1e-6  # two distances nearer to each other than this are a tie


def measure_recall(model: Any, space: str, index_name: str, *, samples: int = SAMPLES) -> float | None:
    """Return recall@10, 0 to 1, of searches for stored vectors as users' searches are carried out.

    Compares with an exact search; a document at the same distance as the exact tenth counts as found. None
    when nothing is stored.
    """
    rows = model.objects.filter(space=space, index_name=index_name)
    keys = list(rows.order_by("?").values_list("pk", flat=True)[:samples])
    vectors = [
        np.asarray(v, dtype=np.float32) for v in rows.filter(pk__in=keys).values_list("vector", flat=True)
    ]
    recalls = [_recall(_make_spec(model, space, index_name, vector)) for vector in vectors]
    return sum(recalls) / len(recalls) if recalls else None


def _make_spec(model: Any, space: str, index_name: str, vector: np.ndarray) -> SearchSpec:
    return SearchSpec(
        model=model,
        space=space,
        index_name=index_name,
        metric=get_metric(model),
        vector=vector,
        tuning=get_tuning(space),
    )


def _recall(spec: SearchSpec) -> float:
    nearest = NearestQuerySet.of(spec, None)
    found = [row.pk for row in nearest[:K]]
    exact = nearest[:K]
    exact.query.must_be_exact = True
    distances = [row.distance for row in exact]
    limit = distances[-1] + SAME * (1 + abs(distances[-1]))
    # An index on halves computes rounded distances, so they are computed anew; without a limit, exactly.
    hits = [row for row in nearest.filter(pk__in=found) if row.distance <= limit]
    return len(hits) / len(distances)
