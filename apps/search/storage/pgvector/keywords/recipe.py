"""How a text becomes lexemes, the words of a search by words: one recipe for documents and queries.

The tokens of PostgreSQL's parser are whole words, numbers, file names, host names and addresses. A search
finds what is inside of them, too: `configparser` in "configparser.RawConfigParser". So the parts of a token
are lexemes beside it, with the label C, by which ranking tells them from whole tokens.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import batched

from django.contrib.postgres.search import SearchVectorField
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from tenants.context import connection, get_current_tenant

# A tsvector must stay below 1 MB, as that of any text of 100,000 characters does.
MAX_CHARACTERS = 100_000
BATCH = 1_000  # rows refreshed in one transaction
# Whether accents can be taken off, and what knows lower case if the database's own collation (C) does not.
LOOK_UP = """
    SELECT EXISTS (
            SELECT FROM pg_extension WHERE extname = 'unaccent' AND extnamespace = 'public'::regnamespace
        ),
        CASE WHEN lower('\u0416') <> '\u0436' THEN (
            SELECT min(collname) FROM pg_collation WHERE collname IN ('pg_c_utf8', 'und-x-icu')
        ) END
"""
VERSION = "3"  # of what is below, for the names of recipes
# Where postings are kept (see postings.py), a row is marked with when its words were made: a lexeme without a
# position, which holds blanks as no text's does. This tsquery finds every mark.
MARKED = "''words new '':*"
MARK_SQL = """coalesce((
    SELECT mark FROM pgvector_keywordindex
    WHERE table_name = %s AND pgvector_keywordindex.space = {space}
        AND pgvector_keywordindex.index_name = {index_name}
    FOR KEY SHARE
), '')::tsvector"""

# Nobody sees these: soft hyphens, joiners, marks of direction, variation selectors.
INVISIBLE = "".join(
    chr(code)
    for first, last in [
        (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x180E, 0x180E), (0x200C, 0x200F), (0x202A, 0x202E),
        (0x2060, 0x2064), (0x2066, 0x2069), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF),
    ]
    for code in range(first, last + 1)
)  # fmt: skip
FINAL_SIGMA, SIGMA = "\u03c2", "\u03c3"
ZERO_WIDTH_SPACE = "\u200b"  # divides words for a part of the writers, and joins them for the others

# Scripts that are written without spaces, or whose words carry their particles (Korean). Each two characters
# that stand together are a word, as in the CJK analyzers of Lucene.
UNSPACED = "".join(
    f"{chr(first)}-{chr(last)}"
    for first, last in [
        (0xE01, 0xE3A), (0xE40, 0xE4E), (0xE81, 0xECE), (0x1000, 0x103F), (0x1050, 0x109D), (0x1780, 0x17D3),
        (0x3005, 0x3007), (0x3041, 0x309F), (0x30A1, 0x30FA), (0x30FC, 0x30FF), (0x3105, 0x312F),
        (0x31A0, 0x31BF), (0x31F0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3),
        (0xF900, 0xFAFF), (0x20000, 0x3FFFD),
    ]
)  # fmt: skip
# Their tone marks and signs that PostgreSQL's parser takes for no letters.
_SIGNS = "\u0e3a\u0e47-\u0e4c\u0e4e\u0eba\u0ec8-\u0ecc\u0ece\u1037\u1039\u103a\u17b4\u17b5\u17c9-\u17d3"
# What holds a token together. Names that have dots stay whole between the outer ones.
_OUTER = f"/@:?&=+#~|%{ZERO_WIDTH_SPACE}\\"
_INNER = "._-"
_THOUSANDS = ",'\u2019"  # what divides a number
# PostgreSQL divides hyphenated words itself, but takes the hyphen before a number for its sign.
_OUTER_ONES = _OUTER.replace("\\", r"\\")
_COMPOUND = rf"\S*(?:\w[{_OUTER_ONES}._]\w|\w-\d|\d[{_THOUSANDS}]\d{{3}})\S*"
_NUMBER = rf"\m(\d{{1,3}}(?:[.{_THOUSANDS}]\d{{3}})+)\M"
_CAMEL = "[[:alnum:]]*(?:[[:lower:][:digit:]][[:upper:]]|[[:upper:]]{2}[[:lower:]]{2})[[:alnum:]]*"
# Between the parts of two tokens, so that no phrase joins them. Dictionaries leave a number as it is.
_GAP = " 7007007007007007 "


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''").replace("%", "%%") + "'"


_PARTS = {
    "most": str(MAX_CHARACTERS),
    "pairs": str(240_000),  # so that the longest words of four bytes a character stay below 1 MB, too
    "odd": _quote(f"[{FINAL_SIGMA}{INVISIBLE}]"),
    "folding": _quote(FINAL_SIGMA + INVISIBLE),
    "sigma": _quote(SIGMA),
    "unspaced": _quote(f"[{UNSPACED}]"),
    "pieces": _quote(f"[{UNSPACED}]{{1,64}}|[^{UNSPACED}]+"),
    "signs": _quote(f"[{_SIGNS}]"),
    "number": _quote(_NUMBER),
    "thousands": _quote("." + _THOUSANDS),
    "gap": _quote(_GAP),
    "compound": _quote(_COMPOUND),
    "camel": _quote(_CAMEL),
    "outer": _quote(_OUTER),
    "inner": _quote(_INNER),
    "has_both": _quote(rf"\w[{_OUTER_ONES}].*\w[._]|\w[._].*[{_OUTER_ONES}]\w"),
    "blanks": _quote(" " * len(_OUTER + _INNER)),
}

# OFFSET 0 keeps the planner from writing a text, and what is made of it, once for each use. Each step is left
# out where it would change nothing, because to look is quicker.
_FOLDED = """(
    SELECT CASE WHEN form ~ {odd} THEN translate(form, {folding}, {sigma}) ELSE form END FROM (
        SELECT CASE WHEN octet_length(given) = length(given) OR given IS NFKC NORMALIZED THEN given
            ELSE left(normalize(given, NFKC), {most}) END
        FROM (SELECT left({text}, {most}) OFFSET 0) AS texts (given) OFFSET 0
    ) AS forms (form)
)"""
_SIGNED = r"""(
    SELECT CASE WHEN folded ~ '\w\+\+|\m[A-Za-z]#|\.[Nn][Ee][Tt]\M' THEN
            regexp_replace(regexp_replace(regexp_replace(folded, '(\w)\+\+', '\1plusplus ', 'g'),
            '\m([A-Za-z])#(\W|$)', '\1sharp\2', 'g'), '(^|[^\w.])\.net\M', '\1dotnet', 'gi')
        ELSE folded END
    FROM (SELECT {folded} OFFSET 0) AS folds (folded)
)"""
# A long run is taken in pieces, because substr() counts from the beginning.
_PLAIN = """(
    SELECT CASE WHEN signed ~ {unspaced} THEN (
        SELECT left(string_agg(CASE WHEN piece ~ {unspaced} THEN (
            SELECT concat(' ', string_agg(substr(run, place, 2), ' ' ORDER BY place), ' ')
            FROM (SELECT concat(piece, substring(next FROM {unspaced})) OFFSET 0) AS runs (run),
                generate_series(1, greatest(length(run) - 1, (before ~ {unspaced} IS NOT TRUE)::int)) AS place
        ) ELSE piece END, '' ORDER BY number), {pairs})
        FROM (
            SELECT match[1] AS piece, number, left(lead(match[1]) OVER run, 1) AS next,
                left(lag(match[1]) OVER run, 1) AS before
            FROM regexp_matches(regexp_replace(signed, {signs}, '', 'g'), {pieces}, 'g')
                WITH ORDINALITY AS matches (match, number)
            WINDOW run AS (ORDER BY number)
        ) AS pieces
    ) ELSE signed END
    FROM (SELECT {signed} OFFSET 0) AS signings (signed)
)"""
_JOINED = "replace(lower({plain}), " + _quote(ZERO_WIDTH_SPACE) + ", '')"
_LEXEMES = r"""(
    SELECT to_tsvector(language, {joined}) || CASE parts WHEN '' THEN ''
        ELSE ts_delete(setweight(to_tsvector(language, parts), 'C'), trim({gap})) END
    FROM (SELECT %s::regconfig AS language, {plain} AS plain OFFSET 0) AS given,
    LATERAL (
        SELECT string_agg({gap} || match[1], '') AS compounds,
            string_agg({gap} || match[1], '') FILTER (WHERE match[1] ~ {has_both}) AS paths
        FROM regexp_matches(plain, {compound}, 'g') AS match
    ) AS tokens,
    LATERAL (
        SELECT string_agg({gap} || regexp_replace(
            regexp_replace(match[1], '([[:upper:]])([[:upper:]][[:lower:]])', '\1 \2', 'g'),
            '([[:lower:][:digit:]])([[:upper:]])', '\1 \2', 'g'), '') AS humps
        FROM regexp_matches(plain, {camel}, 'g') AS match
    ) AS camel,
    LATERAL (
        SELECT string_agg({gap} || translate(match[1], {thousands}, ''), '') AS joined
        FROM regexp_matches(compounds, {number}, 'g') AS match
    ) AS numbers,
    LATERAL (
        SELECT left(lower(concat(translate(paths, {outer}, {blanks}),
            translate(compounds, {outer} || {inner}, {blanks}), joined, humps)), {most}) AS parts OFFSET 0
    ) AS divided
)"""


@dataclass(frozen=True)
class KeywordRecipe:
    """How texts become lexemes: a configuration of PostgreSQL's full-text search, and whether accents count.

    `collation` knows upper and lower case where the database's own, such as C, does not. Every row keeps the
    recipe of its `keywords` as text, so that one can tell which rows another recipe made.
    """

    language: str
    unaccent: bool
    collation: str = ""

    def __str__(self) -> str:
        return f"{self.language}, unaccented, {VERSION}" if self.unaccent else f"{self.language}, {VERSION}"

    def plain(self, text: str) -> str:
        """Return the SQL of a text's first 100,000 characters in one Unicode form; `text` is trusted SQL.

        That is NFKC (UAX #15) without invisible characters. The final sigma is a sigma, signs that belong to
        a name are letters ("C++", "C#", ".NET"), and scripts without spaces are pairs of characters.
        """
        folded = _FOLDED.format(text=text, **_PARTS)
        sql = _PLAIN.format(signed=_SIGNED.format(folded=folded), **_PARTS)
        if self.unaccent:
            sql = f"public.unaccent('public.unaccent', {sql})"
        return f'{sql} COLLATE "{self.collation}"' if self.collation else sql

    def lexemes(self, text: str) -> str:
        """Return the SQL of a text's tsvector; its first parameter is the language, `text` is trusted SQL."""
        return _LEXEMES.format(plain=self.plain(text), joined=_JOINED.format(plain="plain"), **_PARTS)

    def condition(self, text: str) -> str:
        """Return the SQL of a tsquery in websearch's syntax; its parameters are as those of `lexemes`."""
        return f"websearch_to_tsquery(%s::regconfig, {_JOINED.format(plain=self.plain(text))})"


@dataclass(frozen=True)
class PendingRecipe(KeywordRecipe):
    """Stands for words that are still to be made: one lexeme, by which the index finds the waiting rows.

    No text has that lexeme, because it holds a blank, where PostgreSQL's parser divides words.
    """

    language: str = "'words pending'"  # a tsvector and a tsquery in PostgreSQL's notation
    unaccent: bool = False

    def __str__(self) -> str:
        return "pending"

    def lexemes(self, text: str) -> str:
        """Return the SQL of the lexeme, whatever the text; its first parameter is `language`."""
        return "%s::tsvector"


PENDING = PendingRecipe()


def get_recipe(language: str | None = None) -> KeywordRecipe:
    """Return the recipe of a language, or of the bound tenant's. Raises NoTenantError when none is bound."""
    place = connection.settings_dict
    unaccent, collation = _look_up(place["NAME"], place["HOST"], place["PORT"])
    return KeywordRecipe(language or get_current_tenant().search_language, unaccent, collation)


def mark_of(space: str = "%s", index_name: str = "%s") -> str:
    """Return the SQL of the mark for rows that are written now, an empty tsvector where none is wanted.

    Its parameters are the table and, unless trusted SQL is given for them, the space and the index name.
    """
    return MARK_SQL.format(space=space, index_name=index_name)


def refresh_keywords(rows: QuerySet, progress: Callable[[int], object] = lambda count: None) -> int:
    """Make the keywords of the rows that another recipe made; return how many there were.

    Uses the bound tenant's recipe. This is needed after a change of the tenant's language, after unaccent was
    installed, and for rows that were written without their words (see pending.py). One transaction for each
    1,000 rows, so it can be stopped and started again; `progress` is called with the number of rows of each.
    """
    recipe = get_recipe()
    table = rows.model._meta.db_table
    row = connection.ops.quote_name(table)
    keywords = RawSQL(  # noqa: S611 - a recipe has constants only
        f"{recipe.lexemes('content')} || {mark_of(f'{row}.space', f'{row}.index_name')}",
        [recipe.language, table],
        SearchVectorField(),
    )
    stale = rows.exclude(keyword_recipe=str(recipe)).order_by("document_key")  # as writing locks them
    refreshed = 0
    # All of their keys at once: to find the next 1,000 each time would read all the others again.
    for batch in batched(stale.values_list("pk", flat=True), BATCH):
        with transaction.atomic():
            pks = list(stale.filter(pk__in=batch).select_for_update().values_list("pk", flat=True))
            rows.filter(pk__in=pks).update(keywords=keywords, keyword_recipe=str(recipe))
        refreshed += len(pks)
        progress(len(pks))
    return refreshed


@cache
def _look_up(*database: str) -> tuple[bool, str]:
    with connection.cursor() as cursor:
        cursor.execute(LOOK_UP)
        unaccent, collation = cursor.fetchone()
        return unaccent, collation or ""
