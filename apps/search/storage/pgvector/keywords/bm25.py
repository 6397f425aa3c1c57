"""Search by words: the documents that hold words of a query, the best first.

The words of a document are its lexemes (PostgreSQL's manual, "Full Text Search"), kept in `keywords`. Ranking
is BM25: Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009.
"""

import re
import unicodedata
from collections.abc import Collection
from typing import Any, NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db.models import F, Q, QuerySet, Value
from django.db.models.expressions import RawSQL

from apps.search.embedders import InvalidTextError
from apps.search.options.texts import find_bad_character
from apps.search.storage.pgvector.keywords.conditions import Split, find_condition, split_query
from apps.search.storage.pgvector.keywords.keyword_rows import KeywordQuerySet
from apps.search.storage.pgvector.keywords.lexemes import AnyLexeme, Holds
from apps.search.storage.pgvector.keywords.pending import READ, find_pending, note_unread, words_of
from apps.search.storage.pgvector.keywords.postings import QUOTED, Best, find_best
from apps.search.storage.pgvector.keywords.recipe import KeywordRecipe, get_recipe
from apps.search.storage.pgvector.keywords.score import Bm25, Weighed, get_factor, weigh
from tenants.context import connection
from tenants.postgresql.estimates import ESTIMATE_ROWS

MAX_LEXEMES = 64  # of a query
COUNTED = 5_000  # a count of documents ends there; a word that so many hold is common
ENOUGH = 1_000  # documents found by rarer words; common ones then only rank
SAMPLE = 100  # documents whose length is averaged

COUNTING_SQL = r"""
    WITH waiting AS MATERIALIZED (
        SELECT pk, {words} AS words FROM ({waiting}) AS rows (pk, content)
    ), lexemes AS MATERIALIZED (
        SELECT positions[1] AS place, weights[1] = 'D' AS is_whole,
            cardinality(positions) AS repeats, ({quoted})::tsquery AS query
        FROM unnest({text}) ORDER BY place LIMIT {limit}
    )
    SELECT array_agg(query::text ORDER BY place),
        array_agg(is_whole ORDER BY place),
        array_agg(repeats ORDER BY place),
        array_agg((SELECT count(*) FROM ({holding}) AS holding) ORDER BY place),
        array_agg((SELECT count(*) FROM waiting WHERE waiting.words @@ lexemes.query) ORDER BY place),
        (SELECT count(*) FROM waiting),
        (SELECT count(*) FROM ({all_waiting}) AS all_waiting),
        (SELECT array_agg(pk) FROM waiting
            WHERE EXISTS (SELECT FROM lexemes WHERE waiting.words @@ lexemes.query)),
        (SELECT count(*) FROM ({everything}) AS everything),
        (SELECT avg((SELECT sum(cardinality(positions)) FROM unnest(words)))
            FROM ({sample}) AS sample (words)),
        {estimate}(%s::regclass),
        {condition}::text
    FROM lexemes
"""
WORD = re.compile(r"[^\W_]+")


def match_keywords(rows: QuerySet, text: str, language: str) -> QuerySet:
    """Return the rows that hold a word of the text, the best first, with `score` (BM25, from 0 upwards).

    A "phrase in quotes" must be there, a -word or -"phrase" must not, as in websearch_to_tsquery; an --option
    is a word. A text that has only blanks, stop words or exclusions finds nothing. One query counts how rare
    the words are among `rows`; the result is lazy. Common words, which 5,000 rows or more hold, only rank
    where the rarer ones find 1,000 rows. Finds rows that wait for their keywords, too, but reads at most 100
    of them (see pending.py).

    Where the index has postings (see postings.py), three quick queries find the first rows. They tell how
    rare words are in the whole index, whatever filters `rows` has, and every row that matches is ranked.
    Raises InvalidTextError for a text that holds NUL bytes or lone surrogates.
    """
    if reason := find_bad_character(text):
        raise InvalidTextError(0, reason)
    recipe = get_recipe(language)
    found, best = _look_up(rows, text, recipe)
    if not found:
        return rows.none().annotate(score=Value(0.0))
    words = words_of(recipe)
    if found.condition:
        rows = rows.filter(found.condition)
    matching = Q(Holds(F("keywords"), AnyLexeme.of(found.finding)))
    if found.waiting:
        matching |= Q(pk__in=found.waiting)
    ranked = rows.filter(matching).annotate(score=Bm25.of(found.weighed, words)).order_by("-score", "pk")
    return KeywordQuerySet.of(ranked, rows, best) if best else ranked


def list_words(text: str, language: str) -> list[str]:
    """Return the words of a query that a document may match: no stop words and no exclusions."""
    words = WORD.findall(split_query(text.replace("\0", " ")).wanted)[:MAX_LEXEMES]
    recipe = get_recipe(language)
    sql = f"SELECT word FROM unnest(%s::text[]) AS word WHERE {recipe.lexemes('word')} <> ''"  # noqa: S608 - a recipe has constants only
    with connection.cursor() as cursor:
        cursor.execute(sql, [words, recipe.language])
        return [word for (word,) in cursor.fetchall()]


def find_words(words: Collection[str], text: str, language: str) -> set[str]:
    """Return those of the words that a query's text finds as they stand, not by a part of them."""
    recipe = get_recipe(language)
    asked, found = recipe.lexemes("%s"), recipe.lexemes("word")
    sql = (
        f"WITH query AS MATERIALIZED (SELECT tsvector_to_array({asked}) AS lexemes) "  # noqa: S608 - a recipe has constants only
        "SELECT word FROM query, unnest(%s::text[]) AS word "
        f"WHERE tsvector_to_array(ts_filter({found}, '{{d}}')) && query.lexemes"
    )
    wanted = split_query(text.replace("\0", " ")).wanted
    with connection.cursor() as cursor:
        cursor.execute(sql, [recipe.language, wanted, list(words), recipe.language])
        return {word for (word,) in cursor.fetchall()}


class Found(NamedTuple):
    """A query's lexemes with their weights, those of them that find, and the condition on rows.

    `waiting` are the keys of the rows found that wait for their words.
    """

    weighed: Weighed
    finding: list[str]
    condition: Q | None
    waiting: list[Any]


def _look_up(rows: QuerySet, text: str, recipe: KeywordRecipe) -> tuple[Found | None, Best | None]:
    """Read the query's lexemes and how many rows hold each: from the postings, or else by counting."""
    query: Any = rows.query
    split = split_query(unicodedata.normalize("NFKC", text))
    if query.is_empty() or not split.wanted:
        return None, None
    with query.bound():
        best = find_best(rows, split.wanted, recipe, MAX_LEXEMES)
        if best is None:
            return _count(rows, split, recipe), None
        if not len(best.keys):
            return None, None
        condition = find_condition(text, recipe.language)
    return Found(best.weighed, best.weighed.lexemes, condition, best.waiting), best


def _count(rows: QuerySet, split: Split, recipe: KeywordRecipe) -> Found | None:
    """Count how many rows hold each of the query's lexemes; None when there is nothing to look for."""
    try:
        sql, params = _counting_sql(rows.order_by(), split, recipe)
    except EmptyResultSet:
        return None
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        row = cursor.fetchone()
    lexemes, whole, repeats, made, held, seen, all_waiting, waiting, total, length, estimate, condition = row
    note_unread(rows.model, all_waiting > seen)
    if not lexemes or not total:
        return None
    share = all_waiting / max(seen, 1)
    counts = [min(COUNTED, one + round(other * share)) for one, other in zip(made, held, strict=True)]
    if total == COUNTED:
        total = max(total, estimate, all_waiting)
    weights = weigh(counts, total, list(map(get_factor, repeats, whole)))
    # Common lexemes would have most of a large index ranked for nothing.
    rare = {lexeme: count for lexeme, count in zip(lexemes, counts, strict=True) if count < COUNTED}
    finding = list(rare) if sum(rare.values()) >= ENOUGH else lexemes
    weighed = Weighed(lexemes, weights, float(max(length or 1, 1)))
    holds = Q(Holds(words_of(recipe), AnyLexeme(Value(condition)))) if condition else None
    return Found(weighed, finding, holds, waiting or [])


def _counting_sql(rows: QuerySet, split: Split, recipe: KeywordRecipe) -> tuple[str, list[Any]]:
    queries = {
        "waiting": find_pending(rows).values("pk", "content")[:READ],
        "all_waiting": find_pending(rows).values("pk")[:COUNTED],
        "holding": rows.filter(Holds("keywords", RawSQL("lexemes.query", ()))).values("pk")[:COUNTED],
        "everything": rows.values("pk")[:COUNTED],
        "sample": rows.order_by("document_key").values_list(words_of(recipe))[:SAMPLE],
    }
    compiled = {name: query.query.sql_with_params() for name, query in queries.items()}
    sql = COUNTING_SQL.format(
        words=recipe.lexemes("content"),
        text=recipe.lexemes("%s"),
        quoted=QUOTED,
        condition=recipe.condition("%s"),
        limit=MAX_LEXEMES,
        estimate=ESTIMATE_ROWS,
        **{name: own for name, (own, _) in compiled.items()},
    )
    params: list[Any] = [recipe.language, *compiled["waiting"][1], recipe.language, split.wanted]
    for name in ("holding", "all_waiting", "everything", "sample"):
        params += compiled[name][1]
    table = connection.ops.quote_name(rows.model._meta.db_table)
    return sql, [*params, table, recipe.language, split.condition]
