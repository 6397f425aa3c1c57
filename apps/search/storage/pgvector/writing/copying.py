"""Sends rows to PostgreSQL by COPY in its binary format, the fastest way in.

The format: PostgreSQL's manual, "COPY", section "Binary Format"; that of a vector: pgvector's `vector_recv`.
"""

import struct
from collections.abc import Iterable, Iterator

import numpy as np
from django.db.backends.utils import CursorWrapper

SIGNATURE = b"PGCOPY\n\xff\r\n\x00" + struct.pack(">ii", 0, 0)
TRAILER = struct.pack(">h", -1)
BLOCK = 1 << 16  # bytes handed to the driver at once
LENGTH, TEXT_ROW_HEADER, VECTOR_HEADER = (struct.Struct(f) for f in (">i", ">hi", ">iHH"))
DOCUMENT_HEADER, JSONB_HEADER = struct.Struct(">hiii"), struct.Struct(">iB")


def copy_rows(cursor: CursorWrapper, table: str, columns: str, batches: Iterable[Iterable[bytes]]) -> int:
    """Copy encoded rows into a table and return how many; `table` and `columns` are trusted SQL.

    Runs one COPY for each batch, so that none is open while the next batch is made: that may need queries on
    the same connection, which would wait for the COPY for ever. Where a batch's rows are lazy, PostgreSQL
    takes in the first ones while the others are made.
    """
    copied = 0
    for rows in batches:
        with cursor.copy(f"COPY {table} ({columns}) FROM STDIN (FORMAT BINARY)") as copy:
            for block in _blocks(rows):
                copy.write(block)
        copied += cursor.rowcount
    return copied


def encode_text_row(text: bytes) -> bytes:
    """Return a row of one field of type text, from UTF-8."""
    return TEXT_ROW_HEADER.pack(1, len(text)) + text


def encode_vectors(vectors: np.ndarray) -> list[bytes]:
    """Return a field of type vector for each row of a float32 array of shape (count, dimensions)."""
    count, dimensions = vectors.shape
    header = VECTOR_HEADER.pack(4 + 4 * dimensions, dimensions, 0)
    numbers, size = vectors.astype(">f4").tobytes(), 4 * dimensions
    return [header + numbers[start : start + size] for start in range(0, count * size, size)]


def encode_document(position: int, key: bytes, content: bytes, metadata: bytes, vector: bytes) -> bytes:
    """Return a row of an integer, two texts, a jsonb (version byte 1) and a vector that is encoded already.

    One call for the whole row: a call for each field takes as long as everything else about it.
    """
    return b"".join(
        (
            DOCUMENT_HEADER.pack(5, 4, position, len(key)),
            key,
            LENGTH.pack(len(content)),
            content,
            JSONB_HEADER.pack(len(metadata) + 1, 1),
            metadata,
            vector,
        )
    )


def _blocks(rows: Iterable[bytes]) -> Iterator[bytes]:
    block = bytearray(SIGNATURE)
    for row in rows:
        block += row
        if len(block) >= BLOCK:
            yield bytes(block)
            block.clear()
    yield bytes(block + TRAILER)
