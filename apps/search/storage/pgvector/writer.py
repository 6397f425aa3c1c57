"""Writing one index of one space: everything through a temporary table and one statement."""

from collections.abc import Iterable, Iterator
from itertools import batched, count, repeat
from typing import Any

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import QuerySet

from apps.search.documents import (
    MAX_KEY_LENGTH,
    MAX_KEYS_NAMED,
    DuplicateDocumentError,
    EmbeddedDocument,
    InvalidDocumentError,
    encode_metadata,
    encode_text,
)
from apps.search.storage.pgvector import copying
from apps.search.storage.pgvector.pending import keywords_pending, may_wait
from apps.search.storage.pgvector.recipe import PENDING, KeywordRecipe, get_recipe
from apps.search.storage.pgvector.vectors import VectorCheck

BATCH_BYTES = 2_000_000  # of documents encoded and copied at once, about
OVERHEAD = 1_500  # bytes of a document beside its content: its vector, its metadata, Python's objects
KEYS = 5_000  # copied at once
STAGE = "pg_temp.pgvector_stage"
SCALARS = frozenset({str, int, float, bool, type(None)})
POLICIES = ("update", "skip", "error")  # for documents that are stored already


class Writer:
    """Upserts and prunes the rows of (space, index_name) in one embedding table.

    Each call is one transaction, or part of the caller's, and locks its rows in the order of their keys, so
    that concurrent calls cannot deadlock. `to_vector(value, name)` checks a vector.
    """

    def __init__(self, model: Any, space: str, index_name: str, to_vector: VectorCheck) -> None:
        self.model = model
        self.table = connection.ops.quote_name(model._meta.db_table)
        self.pk_column = connection.ops.quote_name(model._meta.pk.column)
        self.vector_column = connection.ops.quote_name(model._meta.get_field("vector").column)
        self.vector_type = model._meta.get_field("vector").db_type(connection)
        self.key = [space, index_name]
        self.to_vector = to_vector

    def add(
        self,
        documents: Iterable[EmbeddedDocument],
        on_conflict: str = "update",
        *,
        keywords_at_once: bool = False,
    ) -> int:
        """Write the documents and return how many rows changed; see PgVectorProvider.add for the policies.

        Rows that would not change are not written again: each write costs an insertion into the vector
        index.
        Raises InvalidDocumentError, and writes nothing, when any of them cannot be stored.
        """
        rows = self._encoded(documents)
        columns = "position integer, document_key text, content text, metadata jsonb, vector vector"
        with transaction.atomic(), connection.cursor() as cursor:
            staged = self._stage(cursor, columns, rows)
            waits = not keywords_at_once and self._may_wait(staged)
            changed = self._insert(cursor, on_conflict, waits)
            cursor.execute(f"DROP TABLE {STAGE}")
            if waits and changed:
                keywords_pending.send(self.model, space=self.key[0], index_name=self.key[1])
        return changed

    def delete(self, keys: Iterable[str]) -> int:
        """Delete the rows of these keys, any number of them, and return how many there were."""
        return self._delete(keys, "EXISTS")

    def prune_to(self, keys: Iterable[str]) -> int:
        """Delete all rows but those of these keys, any number of them, and return how many there were."""
        return self._delete(keys, "NOT EXISTS")

    def delete_matching(self, rows: QuerySet) -> int:
        """Delete the rows of a queryset of this table and return how many there were."""
        with transaction.atomic(), connection.cursor() as cursor:
            locked = rows.order_by("document_key").select_for_update().values("pk")
            sql, params = locked.query.sql_with_params()
            cursor.execute(f"DELETE FROM {self.table} WHERE {self.pk_column} IN ({sql})", params)
            return cursor.rowcount

    def find_stored(self, keys: list[str]) -> set[str]:
        """Return those of the keys that are stored. Raises InvalidDocumentError for what can be no key."""
        encoded = [_encode_key(key).decode() for key in keys]
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT document_key FROM {self.table} "
                "WHERE space = %s AND index_name = %s AND document_key = ANY(%s)",
                [*self.key, encoded],
            )
            return {key for (key,) in cursor.fetchall()}

    def _delete(self, keys: Iterable[str], operator: str) -> int:
        if isinstance(keys, str):
            raise TypeError("document_keys must be an iterable of str, not one str: put it into a list.")
        rows = (copying.encode_row([copying.encode_bytes(_encode_key(key))]) for key in keys)
        with transaction.atomic(), connection.cursor() as cursor:
            self._stage(cursor, "document_key text", batched(rows, KEYS))
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

    def _may_wait(self, rows: int) -> bool:
        space, index_name = self.key
        return may_wait(self.model, space, index_name, self.to_vector.dimensions, rows)

    def _stage(self, cursor: CursorWrapper, columns: str, batches: Iterable[Iterable[bytes]]) -> int:
        names = ", ".join(column.split()[0] for column in columns.split(", "))
        cursor.execute(
            f"CREATE TEMPORARY TABLE {STAGE.removeprefix('pg_temp.')} ({columns}) "
            "WITH (toast_tuple_target = 8160) ON COMMIT DROP"  # what is large is put aside once, not twice
        )
        return copying.copy_rows(cursor, STAGE, names, batches)

    def _insert(self, cursor: CursorWrapper, on_conflict: str, waits: bool) -> int:
        recipe = PENDING if waits else get_recipe()
        names = [*self.key, recipe.language, str(recipe)]
        if on_conflict == "update":
            # Words that are there already, or will be made, need not be made again.
            good: Any = [str(get_recipe()), str(PENDING)] if waits else [str(recipe)]
            names += [*self.key, good, good]
        if on_conflict != "error":
            cursor.execute(self._insert_sql(recipe, on_conflict), names)
            return cursor.rowcount
        # What was not inserted was there before, even if another transaction committed it only now.
        cursor.execute(
            f"WITH inserted AS ({self._insert_sql(recipe, on_conflict)} RETURNING document_key) "
            f"SELECT document_key FROM {STAGE} LEFT JOIN inserted USING (document_key) GROUP BY document_key "
            f"HAVING count(*) > 1 OR count(inserted.document_key) = 0 "
            f'ORDER BY document_key COLLATE "C" LIMIT {MAX_KEYS_NAMED + 1}',
            names,
        )
        if duplicates := [key for (key,) in cursor.fetchall()]:
            raise DuplicateDocumentError(duplicates)
        cursor.execute(f"SELECT count(*) FROM {STAGE}")
        return cursor.fetchone()[0]

    def _insert_sql(self, recipe: KeywordRecipe, on_conflict: str) -> str:
        """The INSERT; of equal keys the last one wins where rows are updated, else the first."""
        vector = self.vector_column
        compared = ("content", "metadata", vector)
        written = (*compared, "keywords", "keyword_recipe")
        update = (
            f"DO UPDATE SET {', '.join(f'{column} = EXCLUDED.{column}' for column in written)} "
            f"WHERE ({', '.join(f't.{column}' for column in compared)}) IS DISTINCT FROM "
            f"({', '.join(f'EXCLUDED.{column}' for column in compared)}) OR t.keyword_recipe <> ALL(%s)"
        )
        updates = on_conflict == "update"
        return (
            f"INSERT INTO {self.table} AS t (space, index_name, document_key, {', '.join(written)}) "
            f"SELECT %s, %s, document_key, content, metadata, vector::{self.vector_type}, "
            f"{recipe.lexemes('content')}, %s FROM ("
            f'SELECT DISTINCT ON (document_key COLLATE "C") * FROM {STAGE} '
            f'ORDER BY document_key COLLATE "C", position {"DESC" if updates else "ASC"}) stage '
            f"{self._only_changed(compared) if updates else ''}"
            f"ON CONFLICT (space, index_name, document_key) {update if updates else 'DO NOTHING'}"
        )

    def _only_changed(self, compared: tuple[str, ...]) -> str:
        """The condition that leaves stored rows out before their keywords are made, which takes longest.

        The upsert compares once more, since another transaction may have changed a row in between.
        """
        staged = f"stage.content, stage.metadata, stage.vector::{self.vector_type}"
        return (
            f"WHERE NOT EXISTS (SELECT FROM {self.table} old "
            f"WHERE old.space = %s AND old.index_name = %s AND old.document_key = stage.document_key "
            f"AND ({', '.join(f'old.{name}' for name in compared)}) IS NOT DISTINCT FROM ({staged}) "
            "AND old.keyword_recipe = ANY(%s)) "
        )

    def _encoded(self, documents: Iterable[EmbeddedDocument]) -> Iterator[Iterable[bytes]]:
        """Yield batches of rows; where making them may run foreign code, they are made already."""
        positions = count()
        for batch in self._batches(documents):
            vectors = self.to_vector.check_together([document.vector for document in batch])
            fields = repeat(None) if vectors is None else copying.encode_vectors(vectors)
            rows = map(self._encode, batch, positions, fields)
            yield rows if vectors is not None and all(map(_is_plain, batch)) else list(rows)

    def _batches(self, documents: Iterable[EmbeddedDocument]) -> Iterator[list[EmbeddedDocument]]:
        """Yield the documents in batches so large that waiting for PostgreSQL after each counts little."""
        batch, size = [], 0
        for document in documents:
            batch.append(document)
            content = document.content
            size += OVERHEAD + (len(content) if isinstance(content, str) else 0)
            if size >= BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _encode(self, document: EmbeddedDocument, position: int, vector: bytes | None) -> bytes:
        key = _encode_key(document.document_key)
        try:
            content = encode_text(document.content, "content")
            metadata = encode_metadata(document.metadata, "metadata")
            if vector is None:
                (vector,) = copying.encode_vectors(self.to_vector(document.vector, "vector")[None])
        except ValueError as error:
            raise InvalidDocumentError(f"Document {document.document_key!r}: {error}") from error
        return copying.encode_document(position, key, content, metadata, vector)


def _is_plain(document: EmbeddedDocument) -> bool:
    """Whether nothing of a document can run a query when it is read, as a lazy mapping might."""
    return (
        type(document) is EmbeddedDocument
        and type(document.metadata) is dict
        and all(map(_is_plain_value, document.metadata.values()))
    )


def _is_plain_value(value: Any) -> bool:
    kind = type(value)
    if kind is dict:
        return all(map(_is_plain_value, value.values()))
    return kind in SCALARS or (kind is list and all(map(_is_plain_value, value)))


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
