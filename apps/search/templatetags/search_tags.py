"""Filters for templates that show searches and their work."""

from collections.abc import Mapping
from typing import Any

from django import template

from apps.search.searching.explaining import Explanation, Place

register = template.Library()


@register.filter
def place_of(explanation: Explanation, document: Any) -> Place:
    """Return a document's place in the lists of an explanation."""
    return explanation.places.get(document.pk, Place())


@register.filter
def of_document(values: Mapping[int, Any], document: Any) -> Any:
    """Return the document's value among values by primary key."""
    return values.get(document.pk)


@register.filter
def duration(seconds: float) -> str:
    """Return a time in words, in the unit that a person would choose: "40 s", "12 min", "3 h 20 min"."""
    if seconds < 1:
        return "a second"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
