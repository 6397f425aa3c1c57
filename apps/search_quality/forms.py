"""Forms for promoting an answer and for asking for an evaluation."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from apps.search.documents import MAX_KEY_LENGTH
from apps.search.options.texts import find_bad_character
from apps.search.searching.forms import SearchForm
from apps.search_quality.models import GoldenAnswer
from apps.search_quality.reporting import list_spaces


class PromotionForm(SearchForm):
    """`q`, `index` and `filter` as of a search, `document_key` of a result, and `grade` from 1 to 3."""

    document_key = forms.CharField(
        max_length=MAX_KEY_LENGTH, error_messages={"required": "Name the document that is a right answer."}
    )
    grade = forms.TypedChoiceField(
        choices=GoldenAnswer.Grade,
        coerce=int,
        required=False,
        error_messages={"invalid_choice": "%(value)s is no grade. Allowed: 1, 2, 3."},
    )

    def clean_document_key(self) -> str:
        """Refuse what PostgreSQL cannot compare a key with, with the place of the fault."""
        key: str = self.cleaned_data["document_key"]
        if reason := find_bad_character(key):
            raise ValidationError(f"The key {reason}. Remove it.")
        return key

    def clean_grade(self) -> int:
        """Default to the right answer."""
        return self.cleaned_data["grade"] or GoldenAnswer.Grade.RIGHT


class EvaluationForm(forms.Form):
    """Which of an index's spaces to evaluate."""

    space = forms.ChoiceField()

    def __init__(self, *args: Any, index_name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(alias, alias) for alias in list_spaces(index_name)]
        self.fields["space"] = forms.ChoiceField(choices=choices)
