"""A vector as a parameter: in binary where the server binds it, as text where psycopg writes it in."""

from dataclasses import dataclass

import numpy as np
import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

from apps.search.storage.pgvector.tables.vectors import to_binary, to_literal


@dataclass(frozen=True, eq=False)
class VectorParameter:
    """A checked array of shape (dimensions,) for a column of the type "vector" or "halfvec"."""

    numbers: np.ndarray
    type: str = "vector"


class TextDumper(Dumper):
    """Sends a VectorParameter as text."""

    def dump(self, obj: VectorParameter) -> bytes:
        """Return pgvector's text form."""
        return to_literal(obj.numbers).encode()


class BinaryDumper(Dumper):
    """Sends a VectorParameter in binary."""

    format = Format.BINARY

    def dump(self, obj: VectorParameter) -> bytes:
        """Return pgvector's binary form."""
        return to_binary(obj.numbers, obj.type)


def register() -> None:
    """Let psycopg send VectorParameters on the connections that are made from now on."""
    for dumper in (TextDumper, BinaryDumper):
        psycopg.adapters.register_dumper(VectorParameter, dumper)
