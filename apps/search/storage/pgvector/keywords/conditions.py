"""What a query's text asks for: the words that are wanted, and which phrases and words are conditions.

The syntax is that of websearch_to_tsquery (PostgreSQL's manual, "Parsing Queries"): a "phrase in quotes" must
be there, a -word or -"phrase" must not. An --option is a word.
"""

import re
import unicodedata
from itertools import zip_longest
from typing import NamedTuple

from django.db.models import Q, Value

from apps.search.storage.pgvector.keywords.lexemes import AnyLexeme, Holds
from apps.search.storage.pgvector.keywords.pending import words_of
from apps.search.storage.pgvector.keywords.recipe import get_recipe
from tenants.context import connection

SEGMENT = re.compile(r'(?P<not>-?)"(?P<phrase>[^"]*)"|(?P<word>[^\s"]+)')
CURLY_QUOTES = str.maketrans("“”„«»", '"""""')  # unaccent would make quotes of them, and too late
LATE_QUOTES = str.maketrans(dict.fromkeys("ʺ‟″〝〞", " "))  # unaccent makes quotes of these, too


class Split(NamedTuple):
    """A query's text: what is wanted, and the condition (phrases and exclusions) in websearch's syntax."""

    wanted: str
    condition: str
    has_phrases: bool


def split_query(text: str) -> Split:
    """Return what a text wants, and what it makes a condition."""
    segments = [match.group(0) for match in SEGMENT.finditer(text.translate(CURLY_QUOTES))]
    wanted, condition = [], []
    has_phrases = False
    for segment, following in zip_longest(segments, segments[1:], fillvalue=""):
        if segment.startswith("-") and not segment.startswith("--"):
            # PostgreSQL stacks up 32 exclusions of nothing and then fails. Quotes keep operators from acting.
            if re.search(r"\w", segment):
                condition.append(segment if '"' in segment else f'-"{segment[1:]}"')
            continue
        wanted.append(segment)
        if '"' in segment:
            condition.append(segment)
            has_phrases = True
        # Words are alternatives anyway; between two phrases `or` makes a difference.
        if (
            segment.lower() == "or"
            and following.startswith('"')
            and condition
            and wanted[-2:-1] == condition[-1:]
        ):
            condition.append(segment)
    return Split(" ".join(wanted), " ".join(condition).translate(LATE_QUOTES), has_phrases)


def get_meant(text: str) -> str:
    """Return what to embed of a query's text: all but its exclusions and its quotes.

    A text without any is returned as it is, and so is one that holds nothing else.
    """
    found = split_query(text)
    return (found.wanted.replace('"', " ").strip() or text) if found.condition else text


def has_phrases(text: str) -> bool:
    """Return whether a text has a phrase in quotes, which documents must hold."""
    return split_query(text).has_phrases


def without_phrases(text: str) -> str:
    """Return the text with what it excludes, but without the quotes that make a condition of a phrase.

    What had no quotes is returned as it is.
    """
    found = split_query(text)
    if not found.has_phrases:
        return text
    exclusions = [segment for segment in re.findall(r'-?"[^"]*"', found.condition) if segment.startswith("-")]
    return " ".join([found.wanted.replace('"', " "), *exclusions])


def find_condition(text: str, language: str) -> Q | None:
    """Return the condition that a query's text sets to rows, by their words; None where it sets none.

    Holds for rows that wait for their words, too (see pending.py). One query, if the text has a condition.
    """
    condition = split_query(unicodedata.normalize("NFKC", text)).condition
    if not condition:
        return None
    recipe = get_recipe(language)
    sql = f"SELECT {recipe.condition('%s')}::text"
    with connection.cursor() as cursor:
        cursor.execute(sql, [recipe.language, condition])
        (query,) = cursor.fetchone()
    return Q(Holds(words_of(recipe), AnyLexeme(Value(query)))) if query else None
