"""Makes the postings of large indexes, and makes them anew before many rows were written since.

Writers mark each row with the index's current mark (see recipe.py). New postings begin with a new mark, which
is set while nobody writes; they take in all rows without it. Until they are published, searches
use those before and rank the rows that hold one of the marks since then by their own words.
"""

import logging
import time
from collections.abc import Iterable
from typing import Any

from django.db import Error, models, transaction
from django.db.models import Count, F, Max, Min, Value

from apps.search.storage.pgvector.conf import conf
from apps.search.storage.pgvector.keywords.lexemes import AnyLexeme, Holds
from apps.search.storage.pgvector.keywords.postings import forget_postings
from apps.search.storage.pgvector.keywords.recipe import PENDING
from apps.search.storage.pgvector.models import KeywordIndex, KeywordPostings
from tenants.context import connection

logger = logging.getLogger(__name__)

FEWER = 2  # postings are dropped at so many times fewer rows than make them pay
LATE = 0.1  # of the rows; a search reads those that it finds one by one
PART = 100_000  # keys whose postings are made in one statement
TRIES, PAUSE = 20, 0.25  # for a moment in which nobody writes; seconds
WIDEST = 2**31  # span of keys that entries can hold

# The positions of lexemes count the words: a mark has none.
PART_SQL = """
    WITH documents AS MATERIALIZED (
        SELECT {pk} - %(base)s AS key, keywords,
            coalesce((SELECT sum(cardinality(positions)) FROM unnest(keywords)), 0) AS length
        FROM {table}
        WHERE space = %(space)s AND index_name = %(index_name)s AND keyword_recipe <> %(pending)s
            AND {pk} >= %(low)s AND {pk} < %(low)s + %(size)s AND NOT keywords @@ %(mark)s::tsquery
    ), inserted AS (
        INSERT INTO pgvector_keywordpostings (index_id, generation, lexeme, part, entries)
        SELECT %(index)s, %(generation)s, lexeme, %(part)s, string_agg(int8send(
            (key::bigint << 32) | (least(length, 65535)::bigint << 16)
            | (least(cardinality(array_positions(weights, 'D')), 255)::bigint << 8)
        ), '')
        FROM documents, unnest(keywords) WHERE positions IS NOT NULL GROUP BY lexeme
    )
    SELECT count(*), coalesce(sum(length), 0) FROM documents
"""


def care_for_all_postings(models: Iterable[Any]) -> int:
    """Make, renew and drop the postings of these tables' indexes where that pays; return how many."""
    done = 0
    for model in models:
        kept = KeywordIndex.objects.filter(table_name=model._meta.db_table)
        keys = model.objects.order_by().values_list("space", "index_name")
        counted = dict.fromkeys(kept.values_list("space", "index_name"), 0)
        counted |= {tuple(key): rows for *key, rows in keys.annotate(rows=Count("*"))}
        done += sum(bool(care_for_postings(model, *key, rows)) for key, rows in counted.items())
    return done


def care_for_postings(model: Any, space: str, index_name: str, rows: int) -> str:
    """Make, renew or drop the postings of an index of about so many rows, if that pays; return what was done.

    That is "made", "dropped" or "". May run any number of times, and several times at once.
    """
    kept = _get_kept(model, space, index_name).first()
    if rows < conf.INDEX_ROWS // (FEWER if kept else 1):
        if kept:
            drop_postings(model, space, index_name)
        return "dropped" if kept else ""
    return "made" if _is_due(kept, model, rows) and make_postings(model, space, index_name) else ""


def drop_postings(model: Any, space: str, index_name: str) -> None:
    """Drop what an index keeps for its searches by words, which PostgreSQL alone then ranks."""
    kept = _get_kept(model, space, index_name)
    with transaction.atomic():
        KeywordPostings.objects.filter(index__in=kept).delete()
        kept.delete()
    forget_postings()


def make_postings(model: Any, space: str, index_name: str) -> bool:
    """Make the postings of an index, in place of those before; return whether that was possible.

    It is not where the table's keys are no integers or lie too far apart, and while others write to the table
    without a pause. One transaction for each 100,000 keys.
    """
    rows = model.objects.order_by().filter(space=space, index_name=index_name)
    if not isinstance(model._meta.pk, models.IntegerField):  # as AutoFields are
        return False
    if (kept := _mark_anew(model, space, index_name)) is None:
        return False
    ends = rows.aggregate(low=Min("pk"), high=Max("pk"))
    low, high = ends["low"] or 0, ends["high"] or 0
    if high - low >= WIDEST:
        return False
    generation = int(kept.mark.rpartition(" ")[2].rstrip("'"))
    documents = words = 0
    for part, start in enumerate(range(low, high + 1, PART)):
        counted = _make_part(model, kept, base=low, generation=generation, part=part, low=start)
        documents, words = documents + counted[0], words + counted[1]
    with transaction.atomic():
        published = KeywordIndex.objects.filter(pk=kept.pk, mark=kept.mark).update(
            generation=generation, base=low, documents=documents, words=words, marks=kept.mark
        )
        # Those of another worker that began later stay, and this one's go.
        least = generation + (not published)
        KeywordPostings.objects.filter(index=kept, generation__lt=least).delete()
    forget_postings()
    return bool(published)


def _get_kept(model: Any, space: str, index_name: str) -> Any:
    return KeywordIndex.objects.filter(table_name=model._meta.db_table, space=space, index_name=index_name)


def _is_due(kept: KeywordIndex | None, model: Any, rows: int) -> bool:
    if kept is None or not kept.generation or kept.documents > FEWER * rows:
        return True
    most = int(LATE * rows)
    late = model.objects.filter(Holds(F("keywords"), AnyLexeme(Value(kept.marks))))
    return late.filter(space=kept.space, index_name=kept.index_name)[: most + 1].count() > most


def _mark_anew(model: Any, space: str, index_name: str) -> KeywordIndex | None:
    """Have writers use a new mark; None where there is no moment in which nobody writes.

    Whoever writes rows reads the mark FOR KEY SHARE and so holds a lock on its table, even where there is no
    mark. So the lock here proves that all rows without the new mark are committed.
    """
    mark = f"'words new {time.time_ns() // 1000}'"
    for _ in range(TRIES):
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("LOCK TABLE pgvector_keywordindex IN EXCLUSIVE MODE NOWAIT")
                kept, _ = KeywordIndex.objects.get_or_create(
                    table_name=model._meta.db_table, space=space, index_name=index_name
                )
                kept.mark, kept.marks = mark, " | ".join(filter(None, [kept.marks, mark]))
                kept.save(update_fields=["mark", "marks"])
        except Error:
            time.sleep(PAUSE)
        else:
            return kept
    logger.warning("The words of %s, index %s, stay as they are: others write to it.", space, index_name)
    return None


def _make_part(
    model: Any, kept: KeywordIndex, *, base: int, generation: int, part: int, low: int
) -> tuple[int, int]:
    quote = connection.ops.quote_name
    sql = PART_SQL.format(pk=quote(model._meta.pk.column), table=quote(model._meta.db_table))
    values = {
        "base": base,
        "space": kept.space,
        "index_name": kept.index_name,
        "pending": str(PENDING),
        "low": low,
        "size": PART,
        "mark": kept.mark,
        "index": kept.pk,
        "generation": generation,
        "part": part,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL work_mem = '{conf.MAINTENANCE_WORK_MEM_MB}MB'")
        cursor.execute(sql, values)
        return cursor.fetchone()
