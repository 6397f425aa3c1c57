"""The postings of a large index: for each lexeme the documents that hold it, with all that BM25 needs.

To rank by words, PostgreSQL reads the words of each row that matches, some 10 microseconds each. The postings
hold eight bytes for each (see KeywordPostings), and numpy scores a million of them in some milliseconds. So
every match is scored, and none has to be guessed. Rows that were written after the postings are found by
their mark in the GIN index, and ranked by their own words; `renewing.py` makes new postings before they are
many.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db.models import F, Q, QuerySet
from django.db.models.lookups import Exact
from psycopg import Cursor
from psycopg.pq import Format
from psycopg.sql import quote as literal

from apps.search.storage.pgvector.keywords.lexemes import AnyLexeme, Holds
from apps.search.storage.pgvector.keywords.pending import READ, note_unread, words_of
from apps.search.storage.pgvector.keywords.recipe import PENDING, KeywordRecipe
from apps.search.storage.pgvector.keywords.score import (
    DIGITS,
    Counts,
    Weighed,
    get_factor,
    score_counts,
    weigh,
)
from tenants.context import connection
from tenants.memory import TenantMemory

TTL = 15  # seconds for which a process believes that an index has no postings
MAX_KNOWN = 10_000  # answers that a process keeps, of all tenants together
SPARSE = 20  # times as many keys as entries: then to sort is quicker than to count by key
KEY_BITS, LENGTH_BITS, COUNT_BITS = 32, 16, 8

READ_SQL = """
    WITH lexemes AS MATERIALIZED (
        SELECT lexeme, positions[1] AS place, cardinality(positions) AS repeats, weights[1] = 'D' AS is_whole
        FROM unnest({text}) ORDER BY place LIMIT {limit}
    )
    SELECT kept.base, kept.documents, kept.words, kept.marks,
        ARRAY(
            SELECT {pk} FROM {schema}.{table}
            WHERE space = %s AND index_name = %s AND keywords @@ {pending}::tsquery LIMIT {waiting}
        ),
        {quoted}, repeats, is_whole,
        ARRAY(
            SELECT entries FROM {schema}.pgvector_keywordpostings AS postings
            WHERE postings.index_id = kept.id AND postings.generation = kept.generation
                AND postings.lexeme = lexemes.lexeme
        )
    FROM lexemes, {schema}.pgvector_keywordindex AS kept
    WHERE kept.table_name = %s AND kept.space = %s AND kept.index_name = %s AND kept.generation > 0
    ORDER BY place
"""
# A lexeme becomes a query of its own; parsing it again as a text could take it apart.
QUOTED = r"'''' || replace(replace(lexeme, '\', '\\'), '''', '''''') || ''''"

_known: TenantMemory[bool] = TenantMemory(seconds=TTL, size=MAX_KNOWN)


@dataclass(frozen=True)
class Best:
    """All documents that hold a lexeme of a query, with their scores.

    `keys` and `scores` are arrays of the same length, in no order. `late` are the keys of those that were
    written after the postings; of all others, a row that fits the tsquery `marks` was, too. `waiting` are
    those that wait for their words.
    """

    weighed: Weighed
    keys: np.ndarray
    scores: np.ndarray
    late: frozenset[int]
    marks: str
    waiting: list[int]

    def top(self, count: int) -> tuple[list[int], list[float]]:
        """Return the keys and scores of the best, equal scores by key."""
        keys, scores = self.keys, self.scores
        if count < len(keys):
            least = np.partition(scores, len(scores) - count)[len(scores) - count]
            keys, scores = keys[scores >= least], scores[scores >= least]
        order = np.lexsort((keys, -scores))[:count]
        return keys[order].tolist(), scores[order].tolist()


def find_index(rows: QuerySet) -> tuple[str, str] | None:
    """Return the space and the index name that a queryset asks for, or None where it does not say both."""
    found = {
        child.lhs.target.name: child.rhs
        for child in (() if rows.query.where.negated else rows.query.where.children)
        if isinstance(child, Exact) and hasattr(child.lhs, "target") and isinstance(child.rhs, str)
    }
    names = found.get("space"), found.get("index_name")
    return names if rows.query.where.connector == "AND" and None not in names else None  # type: ignore[return-value]


def has_postings(model: Any, space: str, index_name: str) -> bool:
    """Return whether an index has postings; believes for TTL seconds what it saw.

    Both mistakes are harmless: without them, a search is slower and finds the same.
    """
    key = (model._meta.db_table, space, index_name)

    def look_up() -> bool:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT EXISTS (SELECT FROM pgvector_keywordindex "
                "WHERE (table_name, space, index_name) = (%s, %s, %s) AND generation > 0)",
                key,
            )
            return cursor.fetchone()[0]

    return _known.get(key, look_up)


def forget_postings() -> None:
    """Make this process look for postings again."""
    _known.clear()


def find_best(rows: QuerySet, text: str, recipe: KeywordRecipe, most_lexemes: int) -> Best | None:
    """Return all documents of an index that hold a word of the text; None where there are no postings.

    `rows` is any queryset of the index; its filters do not count. Three queries at most.
    """
    index = find_index(rows)
    if index is None or not has_postings(rows.model, *index):
        return None
    found = _read(rows.model, index, text, recipe, most_lexemes)
    if not found:
        return None
    base, documents, words, marks, given = found[0][:5]
    note_unread(rows.model, len(given) > READ)
    waiting = given[:READ]
    lexemes = [lexeme for *_, lexeme, _, _, _ in found]
    entries = [np.frombuffer(b"".join(parts), dtype=">u8").astype(np.uint64) for *_, parts in found]
    late_keys, late_counts, late_lengths = _read_late(rows.model, index, lexemes, marks, waiting, recipe)
    held = [len(each) + int((late > 0).sum()) for each, late in zip(entries, late_counts.T, strict=True)]
    factors = [get_factor(repeats, is_whole) for *_, repeats, is_whole, _ in found]
    weights = weigh(held, documents + len(late_keys), factors)
    weighed = Weighed(lexemes, weights, max(words, 1) / max(documents, 1))
    keys, scores = _score_entries(entries, weighed)
    keys = keys + base
    late_scores = np.zeros(len(late_keys))
    for counts, weight in zip(late_counts.T, weights, strict=True):
        late_scores += score_counts(counts, late_lengths, weight, weighed.average_length)
    if len(late_keys):
        is_current = ~np.isin(keys, late_keys)
        keys = np.concatenate([keys[is_current], late_keys])
        scores = np.concatenate([scores[is_current], late_scores])
    scores = np.round(scores, DIGITS)
    late = frozenset(late_keys.tolist())
    return Best(weighed, keys, scores, late, marks, [key for key in waiting if key in late])


def _read(
    model: Any, index: tuple[str, str], text: str, recipe: KeywordRecipe, most_lexemes: int
) -> list[tuple[Any, ...]]:
    quote = connection.ops.quote_name
    sql = READ_SQL.format(
        text=recipe.lexemes("%s::text"),
        quoted=QUOTED,
        limit=most_lexemes,
        schema=quote(connection.schema_name),
        table=quote(model._meta.db_table),
        pk=quote(model._meta.pk.column),
        pending=literal(PENDING.language),
        waiting=READ + 1,
    )
    with connection.cursor() as cursor:
        # Binds on the server, which alone sends binary results: of bytes in hexadecimal there would be twice
        # as many.
        cursor.cursor = Cursor(cursor.connection)
        cursor.cursor.format = Format.BINARY
        cursor.execute(sql, [recipe.language, text, *index, model._meta.db_table, *index])
        return cursor.fetchall()


def _read_late(
    model: Any,
    index: tuple[str, str],
    lexemes: list[str],
    marks: str,
    waiting: list[int],
    recipe: KeywordRecipe,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read the rows that the postings lack: their keys, how often each has each lexeme, and their lengths."""
    late = Q(Holds(F("keywords"), AnyLexeme.of([f"({marks}) & ({' | '.join(lexemes)})"])))
    if waiting:
        late |= Q(pk__in=waiting)
    rows = model.objects.filter(late, space=index[0], index_name=index[1])
    found = list(rows.values_list("pk", Counts.of(lexemes, words_of(recipe))))
    keys = np.array([key for key, _ in found], dtype=np.int64)
    numbers = np.array([counts for _, counts in found], dtype=float).reshape(len(found), 1 + len(lexemes))
    holds = numbers[:, 1:].any(axis=1)
    return keys[holds], numbers[holds, 1:], numbers[holds, 0]


def _score_entries(entries: list[np.ndarray], weighed: Weighed) -> tuple[np.ndarray, np.ndarray]:
    """Return the keys, less the base, of all documents in the entries, and their scores."""
    keys = np.concatenate([(each >> np.uint64(64 - KEY_BITS)).astype(np.int64) for each in entries])
    if not len(keys):
        return keys, np.zeros(0)
    gains = np.concatenate(
        [
            _score_lexeme(each, weight, weighed.average_length)
            for each, weight in zip(entries, weighed.weights, strict=True)
        ]
    )
    if keys.max() > SPARSE * len(keys):
        found, places = np.unique(keys, return_inverse=True)
        return found, np.bincount(places, gains)
    scores = np.bincount(keys, gains)
    found = np.flatnonzero(scores)
    return found, scores[found]


def _score_lexeme(entries: np.ndarray, weight: float, average_length: float) -> np.ndarray:
    lengths = (entries >> np.uint64(16) & np.uint64(0xFFFF)).astype(float)
    whole = (entries >> np.uint64(8) & np.uint64(0xFF)).astype(float)
    return score_counts(np.where(whole > 0, whole, 0.5), lengths, weight, average_length)
