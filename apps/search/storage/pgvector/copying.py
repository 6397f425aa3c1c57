"""Rows to PostgreSQL by COPY in its binary format, the fastest way in.

The format: PostgreSQL's manual, "COPY", section "Binary Format"; that of a vector: pgvector's `vector_recv`.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from django.db.backends.utils import CursorWrapper

from apps.search.storage.pgvector.vectors import to_binary

SIGNATURE = b"PGCOPY\n\xff\r\n\x00" + struct.pack(">ii", 0, 0)
TRAILER = struct.pack(">h", -1)
BLOCK = 1 << 18  # bytes handed to the driver at once
INT4, LENGTH, COUNT = (struct.Struct(f) for f in (">ii", ">i", ">h"))


def copy_rows(cursor: CursorWrapper, table: str, columns: str, rows: Iterable[bytes]) -> None:
    """Copy encoded rows into a table; `table` and `columns` are trusted SQL.

    One COPY for each block, so that none is open while `rows` makes its next row: that row may come from a
    query on the same connection, which would wait for the COPY for ever.
    """
    for block in _blocks(rows):
        with cursor.copy(f"COPY {table} ({columns}) FROM STDIN (FORMAT BINARY)") as copy:
            copy.write(SIGNATURE + block + TRAILER)


def encode_row(fields: Sequence[bytes]) -> bytes:
    """Return one row of fields that are encoded already (see the functions below)."""
    return COUNT.pack(len(fields)) + b"".join(fields)


def encode_integer(number: int) -> bytes:
    """Return a field of type integer."""
    return INT4.pack(4, number)


def encode_bytes(value: bytes) -> bytes:
    """Return a field of type text, from UTF-8."""
    return LENGTH.pack(len(value)) + value


def encode_jsonb(value: bytes) -> bytes:
    """Return a field of type jsonb, from JSON in UTF-8 (version byte 1)."""
    return LENGTH.pack(len(value) + 1) + b"\x01" + value


def encode_vector(vector: np.ndarray) -> bytes:
    """Return a field of type vector, from a float32 array of shape (dimensions,)."""
    return encode_bytes(to_binary(vector))


def _blocks(rows: Iterable[bytes]) -> Iterator[bytes]:
    block = bytearray()
    for row in rows:
        block += row
        if len(block) >= BLOCK:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)
