"""The share of the true nearest documents that an ANN search finds, and the effort that it takes."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from apps.search.storage.pgvector.ann.copies import find_copied
from apps.search.storage.pgvector.searching.nearest import NearestQuerySet
from apps.search.storage.pgvector.searching.spec import SearchSpec
from apps.search.storage.pgvector.searching.tuning import get_ef_search
from apps.search.storage.pgvector.tables.ann_index import Effort, get_declared_ann_index

SAMPLES = 20
EFFORT_SAMPLES = 100
COPIED = 4  # of the vectors that most rows share
K = 10
NEIGHBOURS = 100
SAME = 1e-6  # two distances nearer to each other than this are a tie
EFFORTS = (48, 64, 96, 128, 192, 256, 384, 512, 768, 1_000)
RESERVE = 1 / 3  # of the misses that are allowed: users' queries are a little harder than those sampled


def measure_recall(model: Any, space: str, index_name: str, *, samples: int = SAMPLES) -> float | None:
    """Return recall@10, 0 to 1, of searches carried out as users' searches are.

    Searches for points that could be documents but are none (see `_move`), since a stored vector finds itself
    and its neighbours too easily. Those miss the places that a vector with many copies hides, so it also
    searches round such vectors, at 45 degrees; the lower mean counts. A document as near as the exact tenth
    counts as found. None when nothing is stored.
    """
    groups = _sample(model, space, index_name, samples)
    return min(_mean(probe.measure() for probe in group) for group in groups) if groups else None


def choose_effort(model: Any, space: str, index_name: str, *, target: float, rows: int) -> Effort | None:
    """Return the least effort with which searches through the HNSW index reach the recall aimed at.

    Begins with the effort that every connection has, since no search is quicker. Where none suffices it is
    the largest that pgvector takes. None when nothing is stored.
    """
    groups = _sample(model, space, index_name, EFFORT_SAMPLES)
    effort = None
    least = get_ef_search()
    for ef_search in (least, *(each for each in EFFORTS if each > least)) if groups else ():
        recall = min(_mean(probe.measure(ef_search=ef_search) for probe in group) for group in groups)
        effort = Effort(ef_search, recall, target, rows)
        if recall >= target + RESERVE * (1 - target):
            break
    return effort


class Probe:
    """A search whose exact answer is known."""

    def __init__(self, spec: SearchSpec) -> None:
        self.nearest = NearestQuerySet.of(spec, None)
        exact = self.nearest[:K]
        exact.query.must_be_exact = True
        distances = [row.distance for row in exact]
        self.count, self.limit = len(distances), distances[-1] + SAME * (1 + abs(distances[-1]))

    def measure(self, **tuning: int) -> float:
        """Return the recall of the search with these parameters."""
        found = [row.pk for row in self.nearest.tune(**tuning)[:K]]
        # An ANN index on halves computes rounded distances, so they are computed anew; without a limit,
        # exactly.
        again = self.nearest.filter(pk__in=found)
        return sum(row.distance <= self.limit for row in again) / self.count


def _sample(model: Any, space: str, index_name: str, samples: int) -> list[list[Probe]]:
    random = np.random.default_rng()
    rows = model.objects.filter(space=space, index_name=index_name)
    stored = _read_vectors(rows, list(rows.order_by("?").values_list("pk", flat=True)[:samples]))
    if not stored:
        return []
    beside = [_move(rows, SearchSpec.of(model, space, index_name, vector), random) for vector in stored]
    copied = []
    if get_declared_ann_index(model) is None:
        found = find_copied(model, space, index_name, len(stored[0]))
        copied = _read_vectors(rows, list(found.values())[:COPIED])
    noise = random.normal(size=(samples // COPIED, len(stored[0])))
    around = [
        vector / np.linalg.norm(vector) + each / np.linalg.norm(each) for vector in copied for each in noise
    ]
    return [
        [Probe(SearchSpec.of(model, space, index_name, vector)) for vector in vectors if np.any(vector)]
        for vectors in (beside, around)
        if any(np.any(vector) for vector in vectors)
    ]


def _move(rows: Any, spec: SearchSpec, random: np.random.Generator) -> np.ndarray:
    """Return the vector, moved by the difference of two of its hundred nearest.

    So it lies where documents lie, but as far from them as a new one would. Recall is like that of new
    documents: .962 and .951, .969 and .983, .994 and .999 with three kinds of data at ef_search 40, where
    stored vectors have .995 and more, and points half-way between any two .964, .699 and .934.
    """
    near = [row.pk for row in NearestQuerySet.of(spec, None)[1 : NEIGHBOURS + 1]]  # the first is itself
    chosen = random.permutation(len(near))[:2]
    ends = _read_vectors(rows, [near[place] for place in chosen])
    return spec.vector + ends[0] - ends[1] if len(ends) == 2 else spec.vector


def _read_vectors(rows: Any, keys: list[Any]) -> list[np.ndarray]:
    vectors = rows.filter(pk__in=keys).values_list("vector", flat=True)
    return [np.asarray(vector, dtype=np.float32) for vector in vectors]


def _mean(recalls: Iterable[float]) -> float:
    return float(np.mean(list(recalls)))
