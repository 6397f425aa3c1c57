"""The one form that validates a search, for the page and for the API."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from apps.search.embedders.options import find_bad_character
from apps.search.indexes import get_index_names

MAX_QUERY_LENGTH = 2_000
MAX_LIMIT = 100


class QueryField(forms.CharField):
    """A query: 1 to 2,000 characters that are not all blank, without NUL bytes and lone surrogates."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=MAX_QUERY_LENGTH, **kwargs)

    def run_validators(self, value: str) -> None:
        """Refuse what an embedder cannot take, with the place of the fault."""
        super().run_validators(value)
        if reason := find_bad_character(value):
            raise ValidationError(f"The query {reason}. Remove it.")


class SearchForm(forms.Form):
    """`q`, `index` (default "articles") and `limit` (1 to 100, default 10)."""

    q = QueryField(
        label="Search", error_messages={"required": "Type what you are looking for: 1 to 2,000 characters."}
    )
    index = forms.CharField(required=False, max_length=100)
    limit = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=MAX_LIMIT,
        error_messages={
            "min_value": f"1 to {MAX_LIMIT} are allowed.",
            "max_value": f"1 to {MAX_LIMIT} are allowed.",
            "invalid": f"A whole number from 1 to {MAX_LIMIT} is allowed.",
        },
    )

    def clean_index(self) -> str:
        """Accept a known index only; the first one when none is given."""
        known = get_index_names()
        index = self.cleaned_data["index"] or ("articles" if "articles" in known else "".join(known[:1]))
        if index not in known:
            names = ", ".join(known) or "none"
            raise ValidationError(f"There is no index {index!r}. Known indexes: {names}.")
        return index

    def clean_limit(self) -> int:
        """Default to 10."""
        return self.cleaned_data["limit"] or 10
