"""Rows that were written without their words, and how a search by words finds them meanwhile.

To make and index a document's words takes three times as long as everything else about it. So a write of many
rows leaves that to the receivers of `keywords_pending`. Meanwhile a search makes the words of at most 100
waiting rows by itself, which takes as long as the rest of it; the others are found once their words are made.
Where an ANN index takes new rows, no row waits: the ANN index costs more than the words, and would take each
row twice.
"""

from typing import Any

from django.contrib.postgres.search import SearchVectorField
from django.db.models import Case, F, QuerySet, Value, When
from django.dispatch import Signal

from apps.search.storage.pgvector.conf import conf
from apps.search.storage.pgvector.keywords.lexemes import AnyLexeme, Holds, Lexemes
from apps.search.storage.pgvector.keywords.recipe import PENDING, KeywordRecipe, refresh_keywords
from apps.search.storage.pgvector.tables.ann_index import find_ann_index
from tenants.context import connection, get_current_schema, owner_rights
from tenants.memory import TenantMemory

READ = 100  # waiting rows that a search reads: some 40 microseconds each
LEFT_BEHIND = 0.1  # of a table's rows; to vacuum for fewer would take longer than it saves

TTL, MAX_KNOWN = 60, 10_000  # seconds, and answers that a process keeps, of all tenants together
_unread: TenantMemory[bool] = TenantMemory(seconds=TTL, size=MAX_KNOWN)

# Sent by the table's model with `space` and `index_name`, in the transaction that wrote the rows.
keywords_pending = Signal()


def may_wait(model: Any, space: str, index_name: str, dimensions: int | None, rows: int) -> bool:
    """Return whether so many rows may be written without their words."""
    most = conf.BULK_ROWS
    return (
        most is not None
        and rows > most
        and keywords_pending.has_listeners(model)
        and find_ann_index(model, space, index_name, dimensions) is None
    )


def make_pending_keywords(model: Any, space: str, index_name: str) -> int:
    """Make the words of the rows that wait, in the bound tenant's language; return how many there were.

    May run any number of times, and several times at once. Outside of a transaction it vacuums the table
    where it left many dead row versions, because each search by words would look at them.
    """
    rows = model.objects.filter(space=space, index_name=index_name, keyword_recipe=str(PENDING))
    made = refresh_keywords(rows)
    if made and not connection.in_atomic_block:
        quote = connection.ops.quote_name
        table = f"{quote(get_current_schema())}.{quote(model._meta.db_table)}"
        with owner_rights(), connection.cursor() as cursor:  # a tenant's own role owns no table
            cursor.execute("SELECT reltuples FROM pg_class WHERE oid = to_regclass(%s)", [table])
            if made > cursor.fetchone()[0] * LEFT_BEHIND:
                cursor.execute(f"VACUUM (ANALYZE) {table}")
    return made


def find_pending(rows: QuerySet) -> QuerySet:
    """Return the rows that wait, which the index of the words finds."""
    return rows.filter(Holds(F("keywords"), AnyLexeme(Value(PENDING.language))))


def note_unread(model: Any, is_unread: bool) -> None:
    """Remember whether the last search by words of this process, in this table, left waiting rows unread."""
    key = model._meta.db_table
    _unread.forget(key)
    _unread.get(key, lambda: is_unread)


def left_unread(model: Any) -> bool:
    """Return whether the last search by words of this process, in this table, left waiting rows unread."""
    return _unread.get(model._meta.db_table, lambda: False)


def words_of(recipe: KeywordRecipe) -> Case:
    """Return the words of a row: those stored or, while it waits, those of its content."""
    waits = When(keyword_recipe=str(PENDING), then=Lexemes("content", recipe))
    return Case(waits, default=F("keywords"), output_field=SearchVectorField())
