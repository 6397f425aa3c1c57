"""A filter written as JSON text."""

import json
from typing import Any

from apps.search.filters.grammar import parse_filter
from apps.search.filters.operands import MAX_DEPTH, InvalidFilterError, join_path

LONGEST_NUMBER = 400  # digits; more are beyond every number that is allowed


def read_filter(text: str) -> dict[str, Any]:
    """Return the filter of a JSON text, checked and ready for `compile_filter`.

    Raises InvalidFilterError for what is not JSON, for a key that occurs twice in one object (JSON would
    drop the first in silence), and for what the grammar does not allow.
    """
    try:
        value = json.loads(text, object_pairs_hook=_make_object, parse_int=_parse_int)
    except json.JSONDecodeError as error:
        raise InvalidFilterError("", f"is not JSON: {error}.") from error
    except RecursionError as error:
        raise InvalidFilterError("", f"is nested too deeply; {MAX_DEPTH} levels are allowed.") from error
    parse_filter(value)
    return value


def _make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidFilterError(join_path("", twice), "occurs twice in one object; use and.")
    return made


def _parse_int(text: str) -> int | float:
    return int(text) if len(text) <= LONGEST_NUMBER else float(text)
