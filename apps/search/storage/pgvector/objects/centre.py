"""One vector that stands for several documents."""

import numpy as np
from django.db.models import Aggregate, Func, QuerySet

from apps.search.storage.pgvector.tables.distance import Metric


class _Mean(Aggregate):
    function = "AVG"


def find_centre(documents: QuerySet, metric: Metric) -> np.ndarray | None:
    """Return the mean of the documents' vectors, of shape (dimensions,); None when there are no documents.

    Where the distance depends on direction only, each vector counts with the length 1; where the vectors
    cancel each other out, the first document's stands for all. One query, or two then.
    """
    field = documents.model._meta.get_field("vector")
    vector = (
        Func("vector", function="l2_normalize", output_field=field) if metric.needs_direction else "vector"
    )
    mean = documents.aggregate(mean=_Mean(vector, output_field=field))["mean"]
    if mean is None:
        return None
    centre = np.asarray(mean, dtype=np.float32)
    if metric.needs_direction and np.linalg.norm(centre) < 1e-6:
        first = documents.order_by("document_key").values_list("vector", flat=True).first()
        return np.asarray(first, dtype=np.float32)
    return centre
