"""Expressions of tsvectors and tsqueries that Django lacks."""

from typing import Any

from django.contrib.postgres.search import SearchVectorField
from django.db.models import BooleanField, F, Func, TextField, Value

from apps.search.storage.pgvector.keywords.recipe import KeywordRecipe


class Holds(Func):
    """Whether a tsvector fits a tsquery."""

    template = "%(expressions)s"
    arg_joiner = " @@ "
    output_field = BooleanField()


class AnyLexeme(Func):
    """A tsquery in PostgreSQL's own notation."""

    template = "%(expressions)s::tsquery"
    output_field = TextField()

    @classmethod
    def of(cls, lexemes: list[str]) -> "AnyLexeme":
        """Return the query for any of these lexemes."""
        return cls(Value(" | ".join(lexemes)))


class Lexemes(Func):
    """The tsvector of a text."""

    output_field = SearchVectorField()

    def __init__(self, text: str, recipe: KeywordRecipe) -> None:
        super().__init__(F(text))
        self.recipe = recipe

    def as_sql(self, compiler: Any, *args: Any, **context: Any) -> tuple[str, tuple[Any, ...]]:
        """Put the text into the recipe's SQL."""
        sql, params = compiler.compile(self.get_source_expressions()[0])
        return self.recipe.lexemes(sql), (self.recipe.language, *params)
