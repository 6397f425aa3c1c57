"""Search by words: the documents that hold words of a query, the best first.

The words of a document are its lexemes (PostgreSQL's manual, "Full Text Search"), kept in `keywords`. Ranking
is BM25: Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009.
"""

import math
import re
import unicodedata
from collections.abc import Collection
from typing import Any, NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db.models import F, FloatField, Func, Q, QuerySet, Value
from django.db.models.expressions import RawSQL

from apps.search.embedders import InvalidTextError
from apps.search.options.texts import find_bad_character
from apps.search.storage.pgvector.keywords.conditions import Split, split_query
from apps.search.storage.pgvector.keywords.lexemes import AnyLexeme, Holds
from apps.search.storage.pgvector.keywords.pending import find_pending, words_of
from apps.search.storage.pgvector.keywords.recipe import PENDING, KeywordRecipe, get_recipe
from tenants.context import connection
from tenants.postgresql.estimates import ESTIMATE_ROWS

MAX_LEXEMES = 64  # of a query
COUNTED = 5_000  # a count of documents ends there; a word that so many hold is common
ENOUGH = 1_000  # documents found by rarer words; common ones then only rank
SAMPLE = 500  # documents whose length is averaged
PART = 0.25  # what a part of a query's token weighs beside a whole one
K1, B = 1.2, 0.75  # BM25: how soon repetition stops counting, and how much a document's length counts

# A lexeme becomes a query of its own; parsing it again as a text could take it apart.
COUNTING_SQL = r"""
    WITH waiting AS MATERIALIZED (
        SELECT {words} AS words FROM (SELECT content FROM ({waiting}) AS rows LIMIT {counted}) AS rows
    ), lexemes AS MATERIALIZED (
        SELECT positions[1] AS place, weights[1] = 'D' AS is_whole,
            ('''' || replace(replace(lexeme, '\', '\\'), '''', '''''') || '''')::tsquery AS query
        FROM unnest({text}) ORDER BY place LIMIT {limit}
    )
    SELECT array_agg(query::text ORDER BY place),
        array_agg(is_whole ORDER BY place),
        array_agg((SELECT count(*) FROM ({holding}) AS holding) ORDER BY place),
        array_agg((SELECT count(*) FROM waiting WHERE waiting.words @@ lexemes.query) ORDER BY place),
        (SELECT count(*) FROM waiting),
        (SELECT count(*) FROM ({waiting}) AS all_waiting),
        (SELECT count(*) FROM ({everything}) AS everything),
        (SELECT avg(octet_length(content)) FROM ({sample}) AS sample),
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
    where the rarer ones find 1,000 rows. Finds rows that wait for their keywords (see pending.py) like all
    others, only more slowly; where more than 5,000 wait, a part of them tells how rare the words are. Raises
    InvalidTextError for a text that holds NUL bytes or lone surrogates.
    """
    if reason := find_bad_character(text):
        raise InvalidTextError(0, reason)
    recipe = get_recipe(language)
    found = _count(rows, split_query(unicodedata.normalize("NFKC", text)), recipe)
    if not found:
        return rows.none().annotate(score=Value(0.0))
    words = words_of(recipe)
    # The index finds those that wait, too, by the lexeme that stands for their words.
    indexed = Q(Holds(F("keywords"), AnyLexeme.of([*found.finding, PENDING.language])))
    is_made = ~Q(keyword_recipe=str(PENDING))
    rows = rows.filter(indexed & (is_made | Q(Holds(words, AnyLexeme.of(found.finding)))))
    if found.condition:
        rows = rows.filter(Holds(words, AnyLexeme(Value(found.condition))))
    return rows.annotate(score=Bm25.of(found, words)).order_by("-score", "pk")


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
    """A query's lexemes in PostgreSQL's notation: those that find, and those that rank with their weights."""

    finding: list[str]
    lexemes: list[str]
    weights: list[float]
    average_length: float
    condition: str


class Bm25(Func):
    """The BM25 score of a row: the sum of weight * n / (n + k) over the query's lexemes.

    n is how often the document has the lexeme and k grows with the document's length, which is that of
    its text in bytes: PostgreSQL knows it without reading the text. ts_rank of a single lexeme is
    r = (1 + 1/4 + ... + 1/n²) / 10 / (π²/6). What that sum lacks to π²/6 is close to 1/n, so n comes back out
    of it: (1 / (1 - 10r) - 1) / (π²/6) is 0 where n is 0, and never further than 0.11 from n. Lexemes that
    are parts of tokens (label C) have half a rank, with which n stays below 1, however many there are.
    """

    # || copies the words out of the row, from where they would be fetched for each lexeme again.
    template = (
        "(SELECT sum(weight * (1 - k / (k + "
        "(1 / (1 - 10 * ts_rank('{{0.1,0.05,0.1,0.1}}', words, query)) - 1) * 6 / pi() ^ 2)))"
        " FROM (SELECT {} || ''::tsvector, {k1} * (1 - {b} + {b} * octet_length({}) / {}::float8) OFFSET 0)"
        " AS document (words, k), unnest({}::tsquery[], {}::float8[]) AS lexemes (query, weight))"
    )
    output_field = FloatField()

    @classmethod
    def of(cls, found: Found, words: Any) -> "Bm25":
        """Return the score for a query's lexemes of a row with these words."""
        values = (Value(value) for value in (found.average_length, found.lexemes, found.weights))
        return cls(words, F("content"), *values)

    def as_sql(self, compiler: Any, *args: Any, **context: Any) -> tuple[str, tuple[Any, ...]]:
        """Put each expression in its place."""
        parts = [compiler.compile(expression) for expression in self.get_source_expressions()]
        params = tuple(param for _, own in parts for param in own)
        return self.template.format(*(sql for sql, _ in parts), k1=K1, b=B), params


def _count(rows: QuerySet, split: Split, recipe: KeywordRecipe) -> Found | None:
    """Read the query's lexemes and how many rows hold each; None when there is nothing to look for."""
    try:
        sql, params = _counting_sql(rows.order_by(), split, recipe)
    except EmptyResultSet:
        return None
    query: Any = rows.query
    with query.bound(), connection.cursor() as cursor:
        cursor.execute(sql, params)
        lexemes, whole, made, waiting, seen, all_waiting, total, length, estimate, condition = (
            cursor.fetchone()
        )
    if not lexemes or not total:
        return None
    share = all_waiting / max(seen, 1)
    counts = [min(COUNTED, one + round(other * share)) for one, other in zip(made, waiting, strict=True)]
    if total == COUNTED:
        total = max(total, estimate, all_waiting)
    weights = [
        math.log(1 + (total - count + 0.5) / (count + 0.5)) * (1 if is_whole else PART)
        for count, is_whole in zip(counts, whole, strict=True)
    ]
    # Common lexemes would have most of a large index ranked for nothing.
    rare = {lexeme: count for lexeme, count in zip(lexemes, counts, strict=True) if count < COUNTED}
    finding = list(rare) if sum(rare.values()) >= ENOUGH else lexemes
    return Found(finding, lexemes, weights, float(max(length, 1)), condition)


def _counting_sql(rows: QuerySet, split: Split, recipe: KeywordRecipe) -> tuple[str, list[Any]]:
    queries = {
        "waiting": find_pending(rows).values("content"),
        "holding": rows.filter(Holds("keywords", RawSQL("lexemes.query", ()))).values("pk")[:COUNTED],
        "everything": rows.values("pk")[:COUNTED],
        "sample": rows.order_by("document_key").values("content")[:SAMPLE],
    }
    compiled = {name: query.query.sql_with_params() for name, query in queries.items()}
    sql = COUNTING_SQL.format(
        words=recipe.lexemes("content"),
        text=recipe.lexemes("%s"),
        condition=recipe.condition("%s"),
        counted=COUNTED,
        limit=MAX_LEXEMES,
        estimate=ESTIMATE_ROWS,
        **{name: own for name, (own, _) in compiled.items()},
    )
    params: list[Any] = [recipe.language, *compiled["waiting"][1], recipe.language, split.wanted]
    for name in ("holding", "waiting", "everything", "sample"):
        params += compiled[name][1]
    table = connection.ops.quote_name(rows.model._meta.db_table)
    return sql, [*params, table, recipe.language, split.condition]
