"""How a text becomes lexemes, the words of a search by words: one recipe for documents and queries."""

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


@dataclass(frozen=True)
class KeywordRecipe:
    """How texts become lexemes: a configuration of PostgreSQL's full-text search, and whether accents count.

    Every row keeps the recipe of its `keywords` as text, so that one can tell which rows another recipe made.
    """

    language: str
    unaccent: bool

    def __str__(self) -> str:
        return f"{self.language}, unaccented" if self.unaccent else self.language

    def plain(self, text: str) -> str:
        """Return the SQL of a text's first 100,000 characters; `text` is trusted SQL."""
        start = f"left({text}, {MAX_CHARACTERS})"
        return f"public.unaccent('public.unaccent', {start})" if self.unaccent else start

    def lexemes(self, text: str) -> str:
        """Return the SQL of a text's tsvector; its first parameter is the language, `text` is trusted SQL."""
        return f"to_tsvector(%s::regconfig, {self.plain(text)})"


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
    unaccent = _has_unaccent(place["NAME"], place["HOST"], place["PORT"])
    return KeywordRecipe(language or get_current_tenant().search_language, unaccent)


def refresh_keywords(rows: QuerySet, progress: Callable[[int], object] = lambda count: None) -> int:
    """Make the keywords of the rows that another recipe made; return how many there were.

    Uses the bound tenant's recipe. This is needed after a change of the tenant's language, after unaccent was
    installed, and for rows that were written without their words (see pending.py). One transaction for each
    1,000 rows, so it can be stopped and started again; `progress` is called with the number of rows of each.
    """
    recipe = get_recipe()
    keywords = RawSQL(recipe.lexemes("content"), [recipe.language], SearchVectorField())  # noqa: S611
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
def _has_unaccent(*database: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_extension "
            "WHERE extname = 'unaccent' AND extnamespace = 'public'::regnamespace)"
        )
        return cursor.fetchone()[0]
