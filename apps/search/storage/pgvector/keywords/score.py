"""BM25: the score of a document, computed by PostgreSQL from a row's words and by numpy from kept numbers.

Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009. Both count alike: how
often a document has a lexeme as a whole token (n; 0.5 where it is only a part of tokens), and how many words
the document has (the positions of its tsvector: no stop words).
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from django.contrib.postgres.fields import ArrayField
from django.db.models import FloatField, Func, Value

from apps.search.storage.pgvector.keywords.recipe import MARKED

K1, B = 1.2, 0.75  # how soon repetition stops counting, and how much a document's length counts
PART = 0.25  # what a part of a query's token weighs beside a whole one
DIGITS = 12  # of a score; equal documents must be equal whatever the order of additions
PARTS = 0.5  # how often a document has a lexeme that is only in parts of its tokens

# ts_rank of a single lexeme is r = (1 + 1/4 + ... + 1/n²) / 10 / (π²/6) for weights of 0.1. What that sum
# lacks to π²/6 is close to 1/n: (1 / (1 - 10r) - 1) / (π²/6) is 0 where n is 0, and never further than 0.11
# from n.
_WHOLE = "round((1 / (1 - 10 * ts_rank('{{0.1,0,0.1,0.1}}', words, query)) - 1) * 6 / pi() ^ 2)"
_COUNT = f"greatest({_WHOLE}, CASE WHEN words @@ query THEN {PARTS} ELSE 0 END)"
# Flag 2 of ts_rank divides by the document's length. A mark (see recipe.py) counts there, but is no word.
_RANK = "ts_rank('{{1,1,1,1}}', words, {any}::tsquery{flag})"
_LENGTH = (
    f"greatest(1, round({_RANK.replace('{flag}', '')} / nullif({_RANK.replace('{flag}', ', 2')}, 0))"
    f" - (words @@ '{MARKED}')::int)"
)
# || copies the words out of the row, from where they would be fetched for each lexeme again.
_WORDS = "(SELECT {words} || ''::tsvector OFFSET 0) AS given (words)"


class Weighed(NamedTuple):
    """A query's lexemes in PostgreSQL's notation, with their weights, and the index's average length."""

    lexemes: list[str]
    weights: list[float]
    average_length: float


def weigh(counts: Sequence[int], total: int, factors: Sequence[float]) -> list[float]:
    """Return the weights of lexemes that so many of `total` documents hold, times a factor of the query's."""
    return [
        factor * math.log(1 + (max(total, count) - count + 0.5) / (count + 0.5))
        for count, factor in zip(counts, factors, strict=True)
    ]


def get_factor(repeats: int, is_whole: bool) -> float:
    """Return what a lexeme weighs that a query has so often, as a whole token or only in parts of tokens."""
    return repeats * (1.0 if is_whole else PART)


def score_counts(counts: np.ndarray, lengths: np.ndarray, weight: float, average_length: float) -> np.ndarray:
    """Return what a lexeme gives to the scores of documents of these lengths that have it so often."""
    k = K1 * (1 - B + B * lengths / average_length)
    return weight * (1 - k / (k + counts))


class _OfWords(Func):
    """An expression of a row's words and a query's lexemes; `template` has names for its parts."""

    names: tuple[str, ...] = ()

    def as_sql(self, compiler: Any, *args: Any, **context: Any) -> tuple[str, tuple[Any, ...]]:
        """Put each expression in its place; the parameters follow the order of the names."""
        parts = [compiler.compile(expression) for expression in self.get_source_expressions()]
        named = dict(zip(self.names, (sql for sql, _ in parts), strict=True))
        return self.template.format(**named), tuple(param for _, own in parts for param in own)


class Bm25(_OfWords):
    """The BM25 score of a row: the sum of weight * n / (n + k) over the query's lexemes."""

    names = ("any", "again", "average", "words", "lexemes", "weights")
    template = (
        f"(SELECT round(sum(weight * (1 - k / (k + {_COUNT})))::numeric, {DIGITS})::float8"  # noqa: S608 - constants
        f" FROM (SELECT words, {K1} * (1 - {B} + {B} * {_LENGTH} / {{average}}::float8)"
        f" FROM {_WORDS} OFFSET 0) AS document (words, k),"
        " unnest({lexemes}::tsquery[], {weights}::float8[]) AS lexemes (query, weight))"
    ).replace("{any}::tsquery, 2", "{again}::tsquery, 2")
    output_field = FloatField()

    @classmethod
    def of(cls, weighed: Weighed, words: Any) -> "Bm25":
        """Return the score for a query's lexemes of a row with these words."""
        anything = Value(" | ".join(weighed.lexemes))
        values = (Value(value) for value in (weighed.lexemes, weighed.weights))
        return cls(anything, anything, Value(weighed.average_length), words, *values)


class Counts(_OfWords):
    """A row's length in words, and how often it has each of the query's lexemes, as one array."""

    names = ("any", "again", "lexemes", "words")
    template = (
        f"(SELECT array_prepend({_LENGTH}, (SELECT array_agg({_COUNT} ORDER BY place)"  # noqa: S608 - constants
        f" FROM unnest({{lexemes}}::tsquery[]) WITH ORDINALITY AS lexemes (query, place))) FROM {_WORDS})"
    ).replace("{any}::tsquery, 2", "{again}::tsquery, 2")
    output_field = ArrayField(FloatField())

    @classmethod
    def of(cls, lexemes: list[str], words: Any) -> "Counts":
        """Return the counts of a query's lexemes in a row with these words."""
        anything = Value(" | ".join(lexemes))
        return cls(anything, anything, Value(lexemes), words)
