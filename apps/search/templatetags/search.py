"""What the search page's template asks for."""

from typing import Any

from django import template

from apps.search.explaining import Explanation, Place

register = template.Library()


@register.filter
def place_of(explanation: Explanation, document: Any) -> Place:
    """Return a document's place in the lists of an explanation."""
    return explanation.places.get(document.pk, Place())
