"""Writes one index of one space: through a temporary table and one statement.

Many documents for an index that has none are copied into the table itself (see `_copy_new`): to write them
into a temporary table first, and to sort them there, takes longer than everything else.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import batched, chain
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import QuerySet

from apps.search.documents import MAX_KEYS_NAMED, DuplicateDocumentError
from apps.search.storage.pgvector.ann.making_way import (
    ann_index_outdated,
    find_in_the_way,
    make_way,
    tell_of_deletions,
)
from apps.search.storage.pgvector.conf import conf
from apps.search.storage.pgvector.keywords.pending import keywords_pending, may_wait
from apps.search.storage.pgvector.keywords.recipe import PENDING, KeywordRecipe, get_recipe, mark_of
from apps.search.storage.pgvector.tables.vectors import VectorCheck
from apps.search.storage.pgvector.writing import copying
from apps.search.storage.pgvector.writing.copying import STAGE, STAGED
from apps.search.storage.pgvector.writing.embedding import Embedding
from apps.search.storage.pgvector.writing.encoding import encode_documents, encode_key
from tenants.context import get_current_schema
from tenants.locks import Lock, take

KEYS = 5_000  # copied at once
POLICIES = ("update", "skip", "error")  # for documents that are stored already


class Writer:
    """Upserts and prunes the rows of (space, index_name) in one embedding table.

    Each call is one transaction, or part of the caller's, and locks its rows in the order of their keys, so
    that concurrent calls cannot deadlock. While one copies documents into an empty index, in any order,
    others wait before they write into that index. `to_vector(value, name)` checks a vector.
    """

    def __init__(self, model: Any, space: str, index_name: str, to_vector: VectorCheck) -> None:
        self.model = model
        self.table = connection.ops.quote_name(model._meta.db_table)
        self.pk_column = connection.ops.quote_name(model._meta.pk.column)
        vector = connection.ops.quote_name(model._meta.get_field("vector").column)
        self.compared = ("content", "metadata", vector)
        self.columns = ("space", "index_name", "document_key", *self.compared, "keywords", "keyword_recipe")
        self.vector_type = model._meta.get_field("vector").db_type(connection)
        self.key = (space, index_name)
        self.to_vector = to_vector

    def add(
        self,
        documents: Embedding,
        on_conflict: str = "update",
        *,
        keywords_at_once: bool = False,
    ) -> int:
        """Write the documents and return how many rows changed; see PgVectorProvider.add for the policies.

        Does not write rows that would not change, because each write costs an insertion into the ANN index.
        Many new rows, outside of a caller's transaction, have the ANN index dropped first (making_way.py).
        Raises InvalidDocumentError, and writes nothing, when any document cannot be stored.
        """
        is_nested = connection.in_atomic_block
        batches = encode_documents(documents, self.to_vector)
        with transaction.atomic(), connection.cursor() as cursor:
            copying.create_stage(cursor, STAGED)
            staged = copying.fill_stage(cursor, batches, most=conf.BULK_ROWS)
            made_way = False
            if not (keywords_at_once or documents.has_begun) and self._may_copy(cursor, staged):
                waits, changed = True, self._add_first(cursor, batches, on_conflict)
            else:
                staged += copying.fill_stage(cursor, batches)
                made_way = not is_nested and self._make_way(cursor, staged)
                waits = not keywords_at_once and self._may_wait(staged)
                changed = self._insert(cursor, on_conflict, waits)
            copying.drop_stage(cursor, is_nested=is_nested)
            if made_way:
                ann_index_outdated.send(self.model)
            if waits and changed:
                space, index_name = self.key
                keywords_pending.send(self.model, space=space, index_name=index_name)
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
            deleted = cursor.rowcount
            tell_of_deletions(self.model, *self.key, self.to_vector.dimensions, deleted)
        return deleted

    def find_stored(self, keys: list[str]) -> set[str]:
        """Return those of the keys that are stored. Raises InvalidDocumentError for what can be no key."""
        encoded = [encode_key(key).decode() for key in keys]
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                f"SELECT document_key FROM {self.table} "
                "WHERE space = %s AND index_name = %s AND document_key = ANY(%s)",
                [*self.key, encoded],
            )
            stored = {key for (key,) in cursor.fetchall()}
            transaction.set_rollback(True)  # keeps no lock on the table: see make_way()
        return stored

    def _delete(self, keys: Iterable[str], operator: str) -> int:
        if isinstance(keys, str):
            raise TypeError("document_keys must be an iterable of str, not one str: put it into a list.")
        rows = (copying.encode_field(encode_key(key)) for key in keys)
        is_nested = connection.in_atomic_block
        with transaction.atomic(), connection.cursor() as cursor:
            copying.create_stage(cursor, STAGED[:1])
            copying.fill_stage(cursor, batched(rows, KEYS), STAGED[:1])
            cursor.execute(
                f"DELETE FROM {self.table} WHERE {self.pk_column} IN "
                f"(SELECT {self.pk_column} FROM {self.table} t WHERE space = %s AND index_name = %s "
                f"AND {operator} (SELECT FROM {STAGE} s WHERE s.document_key = t.document_key) "
                f'ORDER BY document_key COLLATE "C" FOR UPDATE)',
                self.key,
            )
            deleted = cursor.rowcount
            copying.drop_stage(cursor, is_nested=is_nested)
            tell_of_deletions(self.model, *self.key, self.to_vector.dimensions, deleted)
        return deleted

    def _may_wait(self, rows: int) -> bool:
        return may_wait(self.model, *self.key, self.to_vector.dimensions, rows)

    def _may_copy(self, cursor: CursorWrapper, staged: int) -> bool:
        """Whether documents may be copied into the table itself; then other writers wait until the commit."""
        return (
            self._may_wait(staged)
            and self.vector_type.startswith("vector")
            and take(Lock.FIRST_ROWS, self._get_lock_name(), wait=False, until_commit=True)
            and not self._has_rows(cursor)
        )

    def _add_first(self, cursor: CursorWrapper, batches: Iterator[Iterable[bytes]], on_conflict: str) -> int:
        """Write the documents of an index that has none; return how many it has then.

        First those that are staged, then the others, without their words.
        """
        added = self._insert(cursor, on_conflict, waits=True)
        cursor.execute(f"TRUNCATE {STAGE}")
        copied, rest = self._copy_new(cursor, batches)
        if not copying.fill_stage(cursor, rest):
            return added + copied
        self._insert(cursor, on_conflict, waits=True)
        cursor.execute(f"SELECT count(*) FROM {self.table} WHERE space = %s AND index_name = %s", self.key)
        return cursor.fetchone()[0]

    def _copy_new(
        self, cursor: CursorWrapper, batches: Iterator[Iterable[bytes]]
    ) -> tuple[int, Iterator[Iterable[bytes]]]:
        """Copy batches into the table until a key comes again; return how many rows, and the batches left."""
        cursor.execute("SELECT tsvectorsend(%s::tsvector)", [PENDING.language])
        before, after = [part.encode() for part in self.key], [cursor.fetchone()[0], str(PENDING).encode()]
        copied = 0
        for rows in map(iter, batches):
            sent: list[bytes] = []
            try:
                with transaction.atomic():
                    noted = _note(rows, sent)
                    copied += copying.copy_rows(cursor, self.table, self.columns, noted, before, after)
            except IntegrityError:
                return copied, chain([chain(sent, rows)], batches)
        return copied, iter(())

    def _get_lock_name(self) -> str:
        return ".".join((get_current_schema(), self.model._meta.db_table, *self.key))

    def _make_way(self, cursor: CursorWrapper, staged: int) -> bool:
        dimensions = self.to_vector.dimensions
        if find_in_the_way(self.model, *self.key, dimensions, staged) is None:
            return False
        with transaction.atomic():
            sql = f"SELECT count(*) FROM {STAGE} stage {self._changing_sql()}"
            cursor.execute(sql, [*self.key, [str(get_recipe()), str(PENDING)]])
            (changing,) = cursor.fetchone()
            transaction.set_rollback(True)  # gives the lock on the table back, which dropping waits for
        index = find_in_the_way(self.model, *self.key, dimensions, changing)
        return index is not None and make_way(self.model, index)

    def _insert(self, cursor: CursorWrapper, on_conflict: str, waits: bool) -> int:
        is_empty = not self._has_rows(cursor)
        if is_empty:
            take(Lock.FIRST_ROWS, self._get_lock_name(), shared=True, until_commit=True)
        recipe = PENDING if waits else get_recipe()
        mark = [] if waits else [self.model._meta.db_table, *self.key]
        params = [*self.key, recipe.language, *mark, str(recipe)]
        sql = self._insert_sql(recipe, on_conflict)
        if waits and on_conflict != "error" and is_empty:
            # Another transaction may write one of the keys meanwhile; then it is an upsert after all.
            with suppress(IntegrityError), transaction.atomic():
                cursor.execute(sql, params)
                return cursor.rowcount
        if on_conflict == "update":
            # Words that are there already, or will be made, need not be made again.
            good: Any = [str(get_recipe()), str(PENDING)] if waits else [str(recipe)]
            cursor.execute(f"{sql} {self._update_sql()}", [*params, *self.key, good, good])
            return cursor.rowcount
        sql = f"{sql} ON CONFLICT (space, index_name, document_key) DO NOTHING"
        if on_conflict == "error":
            return self._insert_all(cursor, sql, params)
        cursor.execute(sql, params)
        return cursor.rowcount

    def _insert_all(self, cursor: CursorWrapper, sql: str, params: list[str]) -> int:
        # What was not inserted was there before, even if another transaction committed it only now.
        cursor.execute(
            f"WITH inserted AS ({sql} RETURNING document_key) "
            f"SELECT document_key FROM {STAGE} LEFT JOIN inserted USING (document_key) GROUP BY document_key "
            f"HAVING count(*) > 1 OR count(inserted.document_key) = 0 "
            f'ORDER BY document_key COLLATE "C" LIMIT {MAX_KEYS_NAMED + 1}',
            params,
        )
        if duplicates := [key for (key,) in cursor.fetchall()]:
            raise DuplicateDocumentError(duplicates)
        cursor.execute(f"SELECT count(*) FROM {STAGE}")
        return cursor.fetchone()[0]

    def _has_rows(self, cursor: CursorWrapper) -> bool:
        cursor.execute(
            f"SELECT EXISTS (SELECT FROM {self.table} WHERE space = %s AND index_name = %s)", self.key
        )
        return cursor.fetchone()[0]

    def _insert_sql(self, recipe: KeywordRecipe, on_conflict: str) -> str:
        """The INSERT; of equal keys the last one wins where rows are updated, else the first."""
        order = "DESC" if on_conflict == "update" else "ASC"
        mark = "" if recipe is PENDING else f" || {mark_of()}"
        return (
            f"INSERT INTO {self.table} AS t ({', '.join(self.columns)}) "
            f"SELECT %s, %s, document_key, content, metadata, vector::{self.vector_type}, "
            f"{recipe.lexemes('content')}{mark}, %s FROM ("
            f'SELECT DISTINCT ON (document_key COLLATE "C") * FROM {STAGE} '
            f'ORDER BY document_key COLLATE "C", ctid {order}) stage'
        )

    def _update_sql(self) -> str:
        """What makes the INSERT an upsert of the rows that change.

        It leaves out the others before it makes keywords, which takes longest. The upsert compares once more,
        since another transaction may have changed a row in between.
        """
        written = (*self.compared, "keywords", "keyword_recipe")
        return (
            f"{self._changing_sql()} "
            'ORDER BY document_key COLLATE "C" '  # a hash join would lose it
            "ON CONFLICT (space, index_name, document_key) DO UPDATE SET "
            f"{', '.join(f'{column} = EXCLUDED.{column}' for column in written)} "
            f"WHERE ({self._of('t')}) IS DISTINCT FROM ({self._of('EXCLUDED')}) "
            "OR t.keyword_recipe <> ALL(%s)"
        )

    def _changing_sql(self) -> str:
        staged = f"stage.content, stage.metadata, stage.vector::{self.vector_type}"
        return (
            f"WHERE NOT EXISTS (SELECT FROM {self.table} old "
            "WHERE old.space = %s AND old.index_name = %s AND old.document_key = stage.document_key "
            f"AND ({self._of('old')}) IS NOT DISTINCT FROM ({staged}) AND old.keyword_recipe = ANY(%s))"
        )

    def _of(self, row: str) -> str:
        return ", ".join(f"{row}.{column}" for column in self.compared)


def _note(rows: Iterator[bytes], noted: list[bytes]) -> Iterator[bytes]:
    for row in rows:
        noted.append(row)
        yield row
