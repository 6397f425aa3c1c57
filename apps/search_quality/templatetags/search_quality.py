"""What the templates of the page ask for."""

import json
from collections.abc import Mapping
from typing import Any

from django import template

register = template.Library()


@register.filter
def item(values: Mapping[str, Any], key: str) -> Any:
    """Return the value of a key, "" when there is none."""
    return values.get(key, "")


@register.filter
def as_json(value: Any) -> str:
    """Return a value as JSON, for an address."""
    return json.dumps(value, ensure_ascii=False)
