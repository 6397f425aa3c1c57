"""The one form that validates a search, for the page, the API and the command."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from apps.search.filters import InvalidFilterError, count_values, parse_key, read_filter
from apps.search.indexes.registry import get_default_index, get_index_names
from apps.search.options.texts import find_bad_character
from apps.search.searching.answering import SearchRequest
from apps.search.searching.hybrid import MODES

MAX_QUERY_LENGTH = 2_000
MAX_LIMIT = 100
MAX_FILTER_LENGTH = 10_000
MAX_FACETS = 10
KINDS = ("document", "object")  # of results
MAX_WORK = 5_000  # values in the filter, times one more than there are facets


def too_long(what: str) -> str:
    """Return the message for a text that has more characters than its field takes."""
    return f"{what} may have %(limit_value)d characters; this one has %(show_value)d."


class QueryField(forms.CharField):
    """A query: 1 to 2,000 characters that are not all blank, without NUL bytes and lone surrogates."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=MAX_QUERY_LENGTH, **kwargs)
        self.error_messages["max_length"] = too_long("A query")

    def run_validators(self, value: str) -> None:
        """Refuse characters that no embedder takes, and say where they are."""
        super().run_validators(value)
        if reason := find_bad_character(value):
            raise ValidationError(f"The query {reason}. Remove it.")


class SearchForm(forms.Form):
    """Validates a search, and makes a SearchRequest of it. Only `q` is required.

    `limit` is 1 to 100, by default 10; `filter` is JSON; `mode` is semantic (the default), keyword or hybrid;
    `by` is document (the default) or object; `after` is a cursor; `facets` are up to 10 keys, separated by
    commas. A filter with very many values may have fewer.
    """

    q = QueryField(
        label="Search", error_messages={"required": "Type what you are looking for: 1 to 2,000 characters."}
    )
    index = forms.CharField(
        required=False, max_length=100, error_messages={"max_length": too_long("The name of an index")}
    )
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
    filter = forms.CharField(
        required=False, max_length=MAX_FILTER_LENGTH, error_messages={"max_length": too_long("A filter")}
    )
    mode = forms.CharField(required=False)
    explain = forms.BooleanField(required=False)
    facets = forms.CharField(
        required=False,
        max_length=MAX_FILTER_LENGTH,
        error_messages={"max_length": too_long("A list of facets")},
    )
    after = forms.CharField(required=False)
    by = forms.CharField(required=False)

    def get_request(self) -> SearchRequest:
        """Return what a valid form asks."""
        return SearchRequest(**self.cleaned_data)

    def clean_index(self) -> str:
        """Accept a known index only; the default one when none is given."""
        known = get_index_names()
        index = self.cleaned_data["index"] or get_default_index()
        if not known:
            raise ValidationError("Nothing can be searched: no installed app has an index.")
        if index not in known:
            names = ", ".join(known) or "none"
            raise ValidationError(f"There is no index {index!r}. Known indexes: {names}.")
        return index

    def clean_limit(self) -> int:
        """Default to 10."""
        return self.cleaned_data["limit"] or 10

    def clean_mode(self) -> str:
        """Accept a known mode only; semantic when none is given."""
        mode = self.cleaned_data["mode"] or MODES[0]
        if mode not in MODES:
            raise ValidationError(f"There is no mode {mode!r}. Allowed: {', '.join(MODES)}.")
        return mode

    def clean_by(self) -> str:
        """Accept what a result can be only; a document when nothing is given."""
        by = self.cleaned_data["by"] or KINDS[0]
        if by not in KINDS:
            raise ValidationError(f"Results are not by {by!r}. Allowed: {', '.join(KINDS)}.")
        return by

    def clean(self) -> dict[str, Any]:
        """Refuse facets of a filter that is too long for them."""
        data = self.cleaned_data
        facets, values = len(data.get("facets") or []), count_values(data.get("filter") or {})
        if facets and values * (facets + 1) > MAX_WORK:
            most = MAX_WORK // (facets + 1)
            reason = f"With {facets} keys the filter may hold {most:,} values; it holds {values:,}."
            self.add_error("facets", reason)
        return data

    def clean_facets(self) -> list[str]:
        """Split the keys at the commas, each once; the error of a bad key begins with it."""
        named = (key.strip() for key in self.cleaned_data["facets"].split(","))
        keys = list(dict.fromkeys(filter(None, named)))
        if len(keys) > MAX_FACETS:
            raise ValidationError(f"{len(keys)} keys are too many; {MAX_FACETS} are allowed.")
        try:
            for key in keys:
                parse_key(key, key)
        except InvalidFilterError as error:
            raise ValidationError(str(error)) from error
        return keys

    def clean_filter(self) -> dict[str, Any] | None:
        """Read the JSON; the error of a bad filter begins with the path to the fault."""
        text = self.cleaned_data["filter"]
        try:
            return read_filter(text) if text else None
        except InvalidFilterError as error:
            raise ValidationError(str(error)) from error
