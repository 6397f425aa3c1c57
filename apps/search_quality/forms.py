"""The form that asks for an evaluation."""

from typing import Any

from django import forms

from apps.search_quality.page.reports import list_spaces


class EvaluationForm(forms.Form):
    """Which of an index's spaces to evaluate."""

    space = forms.ChoiceField()

    def __init__(self, *args: Any, index_name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(alias, alias) for alias in list_spaces(index_name)]
        self.fields["space"] = forms.ChoiceField(choices=choices)
