"""Vectors that many rows share, and that an ANN index therefore leaves out.

A node of pgvector's HNSW graph holds 10 rows of one vector and has 32 neighbours. Some 300 equal rows fill
them all, so that the graph leads nowhere else, and searches miss what is nearer. A digest names a vector.
"""

from collections.abc import Sequence

from psycopg.sql import quote

MOST_COPIES = 100  # rows of one vector in an ANN index; measured: 200 do no harm yet, 400 wall it off
MOST_LEFT_OUT = 50  # vectors; each costs every search a look


def cast_sql(column: str, cast: str, *, is_unit: bool = True) -> str:
    """Return what an ANN index on halves holds of a column, as SQL.

    Halves reach from 6e-8 to 65,504, so vectors are scaled to length 1 first; ANN indexes that an older
    version built do not do that.
    """
    return f"l2_normalize({column})::{cast}" if is_unit else f"{column}::{cast}"


def digest_sql(column: str, cast: str) -> str:
    """Return the digest of the vector that an ANN index with this cast holds, as SQL."""
    if cast.startswith("bit"):
        return f"md5(vector_send({column}))"
    return f"md5(halfvec_send({cast_sql(column, cast)}))"


def left_out_sql(column: str, cast: str, digests: Sequence[str]) -> str:
    """Return the condition for the rows of these vectors, as SQL.

    A query that repeats it, or denies it, can use the indexes that were made with it.
    """
    return f"{digest_sql(column, cast)} = ANY (ARRAY[{', '.join(map(quote, digests))}])"
