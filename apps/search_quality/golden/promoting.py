"""Promoting an answer to a query, and taking that back."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction

from apps.search.documents import MAX_KEY_LENGTH
from apps.search.indexes.registry import get_indexed_models
from apps.search.options.texts import find_bad_character
from apps.search.providers import get_provider
from apps.search.searching.forms import SearchForm
from apps.search_quality.golden.answers import find_source, load_answers, make_key
from apps.search_quality.models import GoldenAnswer, GoldenQuery, make_digest


class UnknownAnswerError(LookupError):
    """What was to be promoted is neither an object nor a document of the index."""


class PromotionForm(SearchForm):
    """`q`, `index` and `filter` as of a search, `document_key` of a result, and `grade` from 1 to 3."""

    document_key = forms.CharField(
        max_length=MAX_KEY_LENGTH, error_messages={"required": "Name the document that is a right answer."}
    )
    grade = forms.TypedChoiceField(
        choices=GoldenAnswer.Grade,
        coerce=int,
        required=False,
        error_messages={"invalid_choice": "%(value)s is not a grade. Allowed: 1, 2, 3."},
    )

    def clean_document_key(self) -> str:
        """Return the answer's key; refuse what PostgreSQL cannot compare a key with, and say where it is."""
        key: str = self.cleaned_data["document_key"]
        if reason := find_bad_character(key):
            raise ValidationError(f"The key {reason}. Remove it.")
        return make_key(key)

    def clean_grade(self) -> int:
        """Default to the right answer."""
        return self.cleaned_data["grade"] or GoldenAnswer.Grade.RIGHT

    def promote(self) -> GoldenAnswer:
        """Promote what a valid form asks. Raises UnknownAnswerError."""
        asked = self.cleaned_data
        key, options = asked["document_key"], {name: asked[name] for name in ("filter", "grade")}
        return promote(asked["index"], asked["q"], key, **options)


def promote(
    index_name: str,
    query: str,
    key: str,
    *,
    filter: Mapping[str, Any] | None = None,
    grade: int = GoldenAnswer.Grade.RIGHT,
) -> GoldenAnswer:
    """Make an answer one of a query's right ones, or change its grade; return it.

    `key` is what `answers.make_key` returns. Raises UnknownAnswerError for one that the index
    does not know, and UnknownIndexError.
    """
    _require_answer(index_name, key)
    asked = {"index_name": index_name, "query": query, "filter": filter or None}
    with transaction.atomic():
        golden, _ = GoldenQuery.objects.get_or_create(digest=make_digest(*asked.values()), defaults=asked)
        answer, _ = GoldenAnswer.objects.update_or_create(
            golden_query=golden, key=key, defaults={"grade": grade}
        )
    return answer


def take_back(answer: GoldenAnswer) -> None:
    """Undo a promotion; a golden query without any answer goes, too."""
    with transaction.atomic():
        answer.delete()
        GoldenQuery.objects.filter(pk=answer.golden_query_id, answers=None).delete()


def find_promoted(
    index_name: str, query: str, filter: Mapping[str, Any] | None = None
) -> dict[str, GoldenAnswer]:
    """Return the answers to a query that were promoted, by their keys."""
    digest = make_digest(index_name, query, filter or None)
    return {answer.key: answer for answer in GoldenAnswer.objects.filter(golden_query__digest=digest)}


def _require_answer(index_name: str, key: str) -> None:
    provider = get_provider(index_name)
    source = find_source(key)
    labels = [model._meta.label_lower for model in get_indexed_models(index_name)]
    if source and source.model in labels and load_answers([key]):
        return
    if not source and provider.objects.filter(document_key=key).exists():
        return
    raise UnknownAnswerError(f"There is no object and no document {key!r} in the index {index_name!r}.")
