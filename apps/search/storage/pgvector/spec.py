"""What a search is for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.search.storage.pgvector.distance import Metric


@dataclass(frozen=True)
class SearchSpec:
    """What is searched: one index of one space in a table, for what is nearest to one vector.

    `tuning` are the parameters of the index search, `min_score` is what rows must score at least.
    """

    model: Any
    space: str
    index_name: str
    metric: Metric
    literal: str
    dimensions: int | None
    tuning: Mapping[str, int | str] = field(default_factory=dict)
    min_score: float | None = None
