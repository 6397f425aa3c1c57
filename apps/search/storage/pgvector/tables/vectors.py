"""Vectors, checked before PostgreSQL sees them and sent in the form that it reads fastest."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

MAX_DIMENSIONS = 16_000
SMALLEST_SQUARE = float(np.finfo(np.float32).tiny)
BINARY: dict[str, np.dtype] = {"vector": np.dtype(">f4"), "halfvec": np.dtype(">f2")}
MODERATE = (0.1, 100.0)  # lengths whose numbers halves hold well
LARGEST = {"vector": float(np.finfo(np.float32).max), "halfvec": 65_504.0}


class InvalidVectorError(ValueError):
    """A vector cannot be stored or searched for; the message says why and what is allowed."""


@dataclass
class VectorCheck:
    """Turns what callers pass as a vector into a float32 array of shape (dimensions,), or refuses it.

    `dimensions` None allows 1 to 16,000, as pgvector does, and the first vector fixes it for the next ones.
    A vector for a column of halves, which would round a very short or long one, is scaled to length 1 where
    only its direction counts: where zero vectors are not allowed. Where `dimensions` may be outdated, `renew`
    returns them anew; it is called when the first vector does not fit.
    """

    dimensions: int | None = None
    vector_type: str = "vector"
    allow_zero: bool = True
    renew: Callable[[], int | None] | None = None

    def __call__(self, value: Sequence[float] | np.ndarray, name: str) -> np.ndarray:
        """Return the array.

        Raises InvalidVectorError, which begins with `name`, for a wrong shape or length, for numbers that
        are not finite or too large for the column's type, and for a zero vector unless `allow_zero`.
        """
        vector = _to_array(value, name)
        if self.renew and len(vector) != self.dimensions:
            self.dimensions = self.renew()
        self.renew = None
        if self.dimensions is None:
            self.dimensions = len(vector)
        if len(vector) != self.dimensions:
            raise InvalidVectorError(f"{name} has {len(vector)} dimensions; {self.dimensions} are needed.")
        if self.vector_type == "vector" and SMALLEST_SQUARE <= _square(vector) < np.inf:
            return vector  # finite, and with a direction: one pass over the numbers tells
        limit = LARGEST[self.vector_type]
        if not np.all(np.abs(vector) <= limit):  # false for NaN, too
            raise InvalidVectorError(
                f"{name} holds NaN, infinity or a number beyond {limit:g}; use finite numbers."
            )
        if not self.allow_zero:
            _check_direction(vector.astype(np.float16) if self.vector_type == "halfvec" else vector, name)
            return to_moderate(vector) if self.vector_type == "halfvec" else vector
        return vector

    def check_together(self, values: Sequence[Any]) -> np.ndarray | None:
        """Return the arrays as the rows of one, or None where any of them must be checked by itself.

        Takes a tenth of the time of as many calls.
        """
        try:
            lengths, flat = {len(value) for value in values}, np.concatenate(values)
        except (TypeError, ValueError, OverflowError):
            return None
        if len(lengths) != 1 or flat.ndim != 1 or flat.dtype.kind != "f" or self.vector_type != "vector":
            return None
        dimensions = lengths.pop()
        if self.dimensions not in (None, dimensions) or not 1 <= dimensions <= MAX_DIMENSIONS:
            return None
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            vectors = flat.astype(np.float32, copy=False).reshape(-1, dimensions)
            squares = np.einsum("ij,ij->i", vectors, vectors)
            if not np.all((squares >= SMALLEST_SQUARE) & (squares < np.inf)):
                return None
        self.dimensions = dimensions
        return vectors


@dataclass(frozen=True, eq=False)
class VectorParameter:
    """A checked array of shape (dimensions,), as the parameter of a statement.

    psycopg sends it in binary where the server binds it, and as text where psycopg writes it into the SQL.
    `type` is the column's: "vector" or "halfvec".
    """

    numbers: np.ndarray
    type: str = "vector"


class _TextDumper(Dumper):
    def dump(self, obj: VectorParameter) -> bytes:
        return to_literal(obj.numbers).encode()


class _BinaryDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: VectorParameter) -> bytes:
        return to_binary(obj.numbers, obj.type)


def to_moderate(vector: np.ndarray) -> np.ndarray:
    """Return a vector with a direction, scaled to length 1 where halves may round it badly."""
    length = float(np.linalg.norm(vector.astype(np.float64)))
    return vector if MODERATE[0] <= length <= MODERATE[1] else (vector / length).astype(np.float32)


def register_parameter() -> None:
    """Let psycopg send VectorParameters on the connections that are made from now on."""
    for dumper in (_TextDumper, _BinaryDumper):
        psycopg.adapters.register_dumper(VectorParameter, dumper)


def to_literal(vector: np.ndarray) -> str:
    """Return a checked vector in pgvector's text form; nine digits tell all float32 numbers apart."""
    return _template(len(vector)) % tuple(vector.tolist())


def to_binary(vector: np.ndarray, vector_type: str = "vector") -> bytes:
    """Return a checked vector in the binary form of its type: dimensions, two unused bytes, the numbers.

    pgvector's `vector_recv` and `halfvec_recv` read it far faster than the text.
    """
    return len(vector).to_bytes(2) + bytes(2) + vector.astype(BINARY[vector_type]).tobytes()


@lru_cache(maxsize=16)
def _template(dimensions: int) -> str:
    return "[" + ",".join(["%.9g"] * dimensions) + "]"


def _check_direction(vector: np.ndarray, name: str) -> None:
    if not vector.any():
        raise InvalidVectorError(f"{name} is all zeros, which has no direction; cosine distance needs one.")
    # pgvector adds the squares up as float32, too.
    if not SMALLEST_SQUARE <= _square(vector.astype(np.float32)) < np.inf:
        raise InvalidVectorError(
            f"{name} is too small or too large for a cosine distance; scale it to the length 1."
        )


def _square(vector: np.ndarray) -> float:
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return float(vector @ vector)


def _to_array(value: Sequence[float] | np.ndarray, name: str) -> np.ndarray:
    try:
        numbers = np.asarray(value)
        if numbers.dtype.kind in "SUc":  # NumPy would read numbers from texts and drop imaginary parts
            raise TypeError(f"these are of the type {numbers.dtype}")
        with np.errstate(over="ignore"):
            vector = numbers.astype(np.float32, copy=False)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidVectorError(f"{name} must be a sequence of numbers: {error}.") from error
    if vector.ndim != 1 or not 1 <= len(vector) <= MAX_DIMENSIONS:
        raise InvalidVectorError(
            f"{name} has the shape {vector.shape}; use one dimension of 1 to {MAX_DIMENSIONS:,} numbers."
        )
    return vector
