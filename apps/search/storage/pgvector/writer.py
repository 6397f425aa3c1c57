"""Writing one index of one space: everything through a temporary table and one statement."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from apps.search.documents import (
    MAX_KEY_LENGTH,
    EmbeddedDocument,
    InvalidDocumentError,
    encode_metadata,
    encode_text,
)
from apps.search.storage.pgvector import copying

STAGE = "pg_temp.pgvector_stage"


class Writer:
    """Upserts and prunes the rows of (space, index_name) in one embedding table.

    Each call is one transaction, or part of the caller's, and locks its rows in the order of their keys, so
    that concurrent calls cannot deadlock. `to_vector(value, name)` checks a vector.
    """

    def __init__(self, model: Any, space: str, index_name: str, to_vector: Callable[..., Any]) -> None:
        self.table = connection.ops.quote_name(model._meta.db_table)
        self.pk_column = connection.ops.quote_name(model._meta.pk.column)
        self.vector_column = connection.ops.quote_name(model._meta.get_field("vector").column)
        self.vector_type = model._meta.get_field("vector").db_type(connection)
        self.key = [space, index_name]
        self.to_vector = to_vector

    def upsert(self, documents: Iterable[EmbeddedDocument]) -> int:
        """Insert or update the documents and return how many rows changed; of equal keys the last wins.

        Rows that would not change are not written again: each write costs an insertion into the vector
        index.
        Raises InvalidDocumentError, and writes nothing, when any of them cannot be stored.
        """
        rows = self._encoded(documents)
        columns = "position integer, document_key text, content text, metadata jsonb, vector vector"
        with transaction.atomic(), connection.cursor() as cursor:
            self._stage(cursor, columns, rows)
            cursor.execute(self._upsert_sql(), self.key)
            changed = cursor.rowcount
            cursor.execute(f"DROP TABLE {STAGE}")
        return changed

    def delete(self, keys: Iterable[str]) -> int:
        """Delete the rows of these keys, any number of them, and return how many there were."""
        return self._delete(keys, "EXISTS")

    def prune_to(self, keys: Iterable[str]) -> int:
        """Delete all rows but those of these keys, any number of them, and return how many there were."""
        return self._delete(keys, "NOT EXISTS")

    def _delete(self, keys: Iterable[str], operator: str) -> int:
        if isinstance(keys, str):
            raise TypeError("document_keys must be an iterable of str, not one str: put it into a list.")
        rows = (copying.encode_row([copying.encode_bytes(_encode_key(key))]) for key in keys)
        with transaction.atomic(), connection.cursor() as cursor:
            self._stage(cursor, "document_key text", rows)
            cursor.execute(
                f"DELETE FROM {self.table} WHERE {self.pk_column} IN "
                f"(SELECT {self.pk_column} FROM {self.table} t WHERE space = %s AND index_name = %s "
                f"AND {operator} (SELECT FROM {STAGE} s WHERE s.document_key = t.document_key) "
                f'ORDER BY document_key COLLATE "C" FOR UPDATE)',
                self.key,
            )
            deleted = cursor.rowcount
            cursor.execute(f"DROP TABLE {STAGE}")
        return deleted

    def _stage(self, cursor: CursorWrapper, columns: str, rows: Iterable[bytes]) -> None:
        names = ", ".join(column.split()[0] for column in columns.split(", "))
        cursor.execute(f"CREATE TEMPORARY TABLE {STAGE.removeprefix('pg_temp.')} ({columns}) ON COMMIT DROP")
        copying.copy_rows(cursor, STAGE, names, rows)

    def _upsert_sql(self) -> str:
        vector = self.vector_column
        return (
            f"INSERT INTO {self.table} AS t (space, index_name, document_key, content, metadata, {vector}) "
            f"SELECT %s, %s, document_key, content, metadata, vector::{self.vector_type} FROM ("
            f'SELECT DISTINCT ON (document_key COLLATE "C") * FROM {STAGE} '
            f'ORDER BY document_key COLLATE "C", position DESC) stage '
            f"ON CONFLICT (space, index_name, document_key) DO UPDATE SET content = EXCLUDED.content, "
            f"metadata = EXCLUDED.metadata, {vector} = EXCLUDED.{vector} "
            f"WHERE (t.content, t.metadata, t.{vector}) IS DISTINCT FROM "
            f"(EXCLUDED.content, EXCLUDED.metadata, EXCLUDED.{vector})"
        )

    def _encoded(self, documents: Iterable[EmbeddedDocument]) -> Iterator[bytes]:
        for position, document in enumerate(documents):
            yield copying.encode_row(self._fields(position, document))

    def _fields(self, position: int, document: EmbeddedDocument) -> list[bytes]:
        key = _encode_key(document.document_key)
        try:
            return [
                copying.encode_integer(position),
                copying.encode_bytes(key),
                copying.encode_bytes(encode_text(document.content, "content")),
                copying.encode_jsonb(encode_metadata(document.metadata, "metadata")),
                copying.encode_vector(self.to_vector(document.vector, "vector")),
            ]
        except ValueError as error:
            raise InvalidDocumentError(f"Document {document.document_key!r}: {error}") from error


def _encode_key(key: Any) -> bytes:
    try:
        encoded = encode_text(key, "document_key")
    except ValueError as error:
        raise InvalidDocumentError(f"Document {key!r}: {error}") from error
    if not 1 <= len(key) <= MAX_KEY_LENGTH:
        raise InvalidDocumentError(
            f"Document {key[:40]!r}: document_key has {len(key)} characters; "
            f"1 to {MAX_KEY_LENGTH} are allowed."
        )
    return encoded
