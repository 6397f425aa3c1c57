"""What a search looks for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from apps.search.storage.pgvector.searching.matching import Condition
from apps.search.storage.pgvector.searching.tuning import get_tuning
from apps.search.storage.pgvector.tables.distance import Metric, get_metric
from apps.search.storage.pgvector.tables.vectors import to_literal, to_moderate


@dataclass(frozen=True, eq=False)
class SearchSpec:
    """A search of one index of one space in a table, for the rows nearest to one vector.

    `vector` is a checked array of shape (dimensions,). `tuning` are the parameters of the ANN search,
    `min_score` is the score that rows must reach, and `conditions` are those of filters.
    """

    model: Any
    space: str
    index_name: str
    metric: Metric
    vector: np.ndarray
    tuning: Mapping[str, int | str] = field(default_factory=dict)
    min_score: float | None = None
    conditions: tuple[Condition, ...] = ()

    @classmethod
    def of(cls, model: Any, space: str, index_name: str, vector: np.ndarray) -> "SearchSpec":
        """Return the search for a vector, with the table's metric and the space's tuning."""
        metric = get_metric(model)
        if metric.needs_direction:
            vector = to_moderate(vector)
        return cls(model, space, index_name, metric, vector, get_tuning(space))

    @property
    def dimensions(self) -> int:
        """The length of the vector."""
        return len(self.vector)

    @cached_property
    def literal(self) -> str:
        """The vector in pgvector's text form."""
        return to_literal(self.vector)
