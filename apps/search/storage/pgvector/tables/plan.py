"""How a search is carried out: exactly, row by row, or through an ANN index."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from apps.search.storage.pgvector.tables.left_out import cast_sql


@dataclass(frozen=True)
class Plan:
    """One way to carry out a search.

    `mode` is "exact", "hnsw", "ivfflat" or "binary". `cast` is the type that the ANN index's expression casts
    the column to, empty when the ANN index is on the column itself; an exact plan with a cast computes the
    same distances as that ANN index. `tuning` are the parameters of the ANN search, and `matches` is how many
    rows a filter leaves, where that was counted. `is_unit` says that the ANN index scales vectors to length 1
    before it casts them. `left_out` are the digests of the vectors that the ANN index
    leaves out (see left_out.py): their rows are read beside it. `missed_recall` is the share of the nearest
    rows that searches through it find, where that is less than aimed at.
    """

    mode: str = "exact"
    cast: str = ""
    tuning: Mapping[str, int | str] = field(default_factory=dict)
    matches: int | None = None
    left_out: tuple[str, ...] = ()
    is_unit: bool = True
    missed_recall: float | None = None

    def distance_sql(self, column: str, operator: str, vector: str) -> str:
        """Return the distance between a column and a vector, an expression, as SQL."""
        distance = f"({column} {operator} {vector})"
        if self.cast and self.mode != "binary":
            own = cast_sql(column, self.cast, is_unit=self.is_unit)
            distance = f"(({own}) {operator} {vector}::{self.cast})"
        # Adding 0 changes nothing but that no ANN index fits the expression.
        return f"({distance} + 0)" if self.mode in ("exact", "binary") else distance

    def candidates_sql(self, column: str, vector: str) -> str:
        """Return the distance by which a binary ANN index finds candidates: how many signs differ."""
        return f"((binary_quantize({column})::{self.cast}) <~> binary_quantize({vector}))"


EXACT = Plan()
