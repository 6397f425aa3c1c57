"""What a search is for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from django.db.models.sql import Query

from apps.search.storage.pgvector.tables.distance import Metric
from apps.search.storage.pgvector.tables.vectors import to_literal


@dataclass(frozen=True, eq=False)
class SearchSpec:
    """What is searched: one index of one space in a table, for what is nearest to one vector.

    `vector` is a checked array of shape (dimensions,), `tuning` are the parameters of the index search,
    `min_score` is what rows must score at least. `matching` is the query for the rows that
    filters leave, None when there was no filter.
    """

    model: Any
    space: str
    index_name: str
    metric: Metric
    vector: np.ndarray
    tuning: Mapping[str, int | str] = field(default_factory=dict)
    min_score: float | None = None
    matching: Query | None = None

    @property
    def dimensions(self) -> int:
        """The length of the vector."""
        return len(self.vector)

    @cached_property
    def literal(self) -> str:
        """The vector in pgvector's text form."""
        return to_literal(self.vector)
