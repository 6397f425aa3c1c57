"""What the search page's template asks for."""

from collections.abc import Mapping
from typing import Any

from django import template

from apps.search.explaining import Explanation, Place

register = template.Library()


@register.filter
def place_of(explanation: Explanation, document: Any) -> Place:
    """Return a document's place in the lists of an explanation."""
    return explanation.places.get(document.pk, Place())


@register.filter
def of_document(values: Mapping[int, Any], document: Any) -> Any:
    """Return what is known of a document, from values by primary key."""
    return values.get(document.pk)
