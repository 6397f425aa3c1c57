"""From texts to lexemes, the words of a search by words: one recipe for documents and queries."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

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

    Every row keeps the recipe of its `keywords` as text, so that those made by another are known.
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


def get_recipe(language: str | None = None) -> KeywordRecipe:
    """Return the recipe of a language, or of the bound tenant's. Raises NoTenantError when none is bound."""
    place = connection.settings_dict
    unaccent = _has_unaccent(place["NAME"], place["HOST"], place["PORT"])
    return KeywordRecipe(language or get_current_tenant().search_language, unaccent)


def refresh_keywords(rows: QuerySet, progress: Callable[[int], object] = lambda count: None) -> int:
    """Make the keywords of rows that another recipe made by the bound tenant's; return how many there were.

    Needed when a tenant's language was changed, or unaccent installed. One transaction for each 1,000 rows,
    so it can be stopped and started again; `progress` is called with the number of rows of each.
    """
    recipe = get_recipe()
    keywords = RawSQL(recipe.lexemes("content"), [recipe.language], SearchVectorField())  # noqa: S611
    stale = rows.exclude(keyword_recipe=str(recipe)).order_by("document_key").select_for_update()
    refreshed = 0
    while True:
        with transaction.atomic():  # locks the rows in the order of their keys, as writing does
            pks = list(stale.values_list("pk", flat=True)[:BATCH])
            rows.filter(pk__in=pks).update(keywords=keywords, keyword_recipe=str(recipe))
        if not pks:
            return refreshed
        refreshed += len(pks)
        progress(len(pks))


@cache
def _has_unaccent(*database: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_extension "
            "WHERE extname = 'unaccent' AND extnamespace = 'public'::regnamespace)"
        )
        return cursor.fetchone()[0]
