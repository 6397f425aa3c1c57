"""Sends rows to PostgreSQL by COPY in its binary format, the fastest way in.

The format: PostgreSQL's manual, "COPY", section "Binary Format"; that of a vector: pgvector's `vector_recv`.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from django.db import connection
from django.db.backends.utils import CursorWrapper

SIGNATURE = b"PGCOPY\n\xff\r\n\x00" + struct.pack(">ii", 0, 0)
TRAILER = struct.pack(">h", -1)
BLOCK = 1 << 16  # bytes handed to the driver at once
STAGE = "pg_temp.pgvector_stage"
TYPES = {"document_key": "text", "content": "text", "metadata": "jsonb", "vector": "vector"}
STAGED = tuple(TYPES)
FIELDS, LENGTH, VECTOR_HEADER = (struct.Struct(f) for f in (">h", ">i", ">iHH"))
JSONB_HEADER = struct.Struct(">iB")


def copy_rows(
    cursor: CursorWrapper,
    table: str,
    columns: Sequence[str],
    rows: Iterable[bytes],
    before: Sequence[bytes] = (),
    after: Sequence[bytes] = (),
) -> int:
    """Copy rows into a table by one COPY and return how many; `table` and `columns` are trusted SQL.

    `before` and `after` are values of any type, in that type's binary format, which every row has for the
    first and the last columns; `rows` are the encoded fields between. Where they are lazy, PostgreSQL takes
    in the first ones while the others are made. Making them must run no query on the same connection: that
    would wait for the COPY for ever.
    """
    start = FIELDS.pack(len(columns)) + b"".join(map(encode_field, before))
    end = b"".join(map(encode_field, after))
    # Django translates the errors of the methods of a cursor, but not those at the end of a COPY.
    with (
        connection.wrap_database_errors,
        cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)") as copy,
    ):
        for block in _blocks(rows, start, end):
            copy.write(block)
    return cursor.rowcount


def create_stage(cursor: CursorWrapper, columns: Sequence[str]) -> None:
    """Create the temporary table that rows come into first, with some of the columns STAGED."""
    cursor.execute(
        f"CREATE TEMPORARY TABLE {STAGE.removeprefix('pg_temp.')} "
        f"({', '.join(f'{each} {TYPES[each]}' for each in columns)}) "
        "WITH (toast_tuple_target = 8160) ON COMMIT DROP"  # large values are moved out once, not twice
    )


def fill_stage(
    cursor: CursorWrapper,
    batches: Iterable[Iterable[bytes]],
    columns: Sequence[str] = STAGED,
    *,
    most: int | None = None,
) -> int:
    """Copy batches into the temporary table until it got more than `most` rows; return how many it got.

    Runs one COPY for each, so that none is open while the next batch is made: that may need queries.
    """
    staged = 0
    for rows in batches:
        staged += copy_rows(cursor, STAGE, columns, rows)
        if most is not None and staged > most:
            break
    return staged


def drop_stage(cursor: CursorWrapper, *, is_nested: bool) -> None:
    """Drop the temporary table, where the transaction goes on."""
    # Else the commit drops it, without a command at which psycopg would forget all prepared statements.
    if is_nested:
        cursor.execute(f"DROP TABLE {STAGE}")


def encode_field(value: bytes) -> bytes:
    """Return a field from its type's binary format, which for a text is UTF-8."""
    return LENGTH.pack(len(value)) + value


def encode_vectors(vectors: np.ndarray) -> list[bytes]:
    """Return a field of type vector for each row of a float32 array of shape (count, dimensions)."""
    count, dimensions = vectors.shape
    header = VECTOR_HEADER.pack(4 + 4 * dimensions, dimensions, 0)
    numbers, size = vectors.astype(">f4").tobytes(), 4 * dimensions
    return [header + numbers[start : start + size] for start in range(0, count * size, size)]


def encode_document(key: bytes, content: bytes, metadata: bytes, vector: bytes) -> bytes:
    """Return the fields of two texts, a jsonb (version byte 1) and a vector that is encoded already.

    One call for the whole row: a call for each field takes as long as everything else about it.
    """
    return b"".join(
        (
            LENGTH.pack(len(key)),
            key,
            LENGTH.pack(len(content)),
            content,
            JSONB_HEADER.pack(len(metadata) + 1, 1),
            metadata,
            vector,
        )
    )


def _blocks(rows: Iterable[bytes], start: bytes, end: bytes) -> Iterator[bytes]:
    block = bytearray(SIGNATURE)
    for row in rows:
        block += start
        block += row
        block += end
        if len(block) >= BLOCK:
            yield bytes(block)
            block.clear()
    yield bytes(block + TRAILER)
