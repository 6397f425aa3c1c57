"""From a filter, as JSON text or in Python, to a Q of conditions and groups of them."""

import json
from collections.abc import Mapping
from typing import Any

from django.db.models import Q

from apps.search.filters.compiling import COMPILERS
from apps.search.filters.operands import (
    MAX_DEPTH,
    OPERATORS,
    InvalidFilterError,
    check_list,
    check_name,
    join_path,
    name_type,
)

LONGEST_NUMBER = 400  # digits; no allowed number has more
MAX_CONDITIONS = 100
MAX_KEY_LENGTH = 1_000  # characters


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
    _compile(value)
    return value


def compile_filter(filter: Mapping[str, Any] | None) -> Q:
    """Return the filter as a Q for `queryset.filter()` of an embedding table; see `apps.search.filters`.

    None and an empty mapping filter nothing. Raises InvalidFilterError, whose path leads to the first fault.
    """
    return Q() if filter is None else _compile(filter)


def count_values(filter: Any) -> int:
    """Return with how many values a filter compares."""
    if isinstance(filter, Mapping):
        return sum(map(count_values, filter.values()))
    return sum(map(count_values, filter)) if isinstance(filter, list | tuple) else 1


def parse_key(text: object, path: str) -> tuple[str, ...]:
    r"""Return the parts of a dotted key: ("author", "name") for "author.name", ("a.b",) for "a\.b".

    Raises InvalidFilterError for more than 1,000 characters or 8 parts, and for an empty part.
    """
    name = check_name(text, path)
    if len(name) > MAX_KEY_LENGTH:
        raise InvalidFilterError(
            path, f"is a key of {len(name):,} characters; {MAX_KEY_LENGTH:,} are allowed."
        )
    parts = _split(name, path)
    if not all(parts):
        raise InvalidFilterError(path, "has an empty part; write \\. for a dot within a key.")
    if len(parts) > MAX_DEPTH:
        raise InvalidFilterError(path, f"has {len(parts)} parts; at most {MAX_DEPTH} are allowed.")
    return tuple(parts)


def _make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidFilterError(join_path("", twice), "occurs twice in one object; use and.")
    return made


def _parse_int(text: str) -> int | float:
    return int(text) if len(text) <= LONGEST_NUMBER else float(text)


def _split(name: str, path: str) -> list[str]:
    parts = [""]
    characters = iter(name)
    for character in characters:
        if character == ".":
            parts.append("")
            continue
        taken = next(characters, None) if character == "\\" else character
        if taken is None:
            raise InvalidFilterError(path, "ends with a backslash that escapes nothing; write \\\\ for one.")
        parts[-1] += taken
    return parts


def _compile(value: object) -> Q:
    if isinstance(value, Mapping) and not value:
        return Q()
    parser = _Parser()
    compiled = parser.read_object(value, "", 1)
    if parser.count > MAX_CONDITIONS:
        raise InvalidFilterError(
            "", f"has {parser.count:,} conditions; at most {MAX_CONDITIONS} are allowed."
        )
    return compiled


class _Parser:
    def __init__(self) -> None:
        self.count = 0  # of conditions

    def read_object(self, value: object, path: str, depth: int) -> Q:
        if not isinstance(value, Mapping):
            raise InvalidFilterError(path, f"needs an object of keys and conditions, not {name_type(value)}.")
        if not value:
            raise InvalidFilterError(path, "needs an object with at least one key.")
        if depth > MAX_DEPTH:
            raise InvalidFilterError(path, f"is nested too deeply; {MAX_DEPTH} levels are allowed.")
        return _all([self._read_entry(key, part, join_path(path, key), depth) for key, part in value.items()])

    def _read_entry(self, key: object, value: Any, path: str, depth: int) -> Q:
        if key in ("and", "or"):
            parts = check_list(value, path)
            if not parts:
                raise InvalidFilterError(path, "needs a list with at least one filter.")
            steps = enumerate(parts)
            read = [self.read_object(part, f"{path}[{number}]", depth + 1) for number, part in steps]
            return Q(*read, _connector=Q.AND if key == "and" else Q.OR)
        if key == "not":
            return ~self.read_object(value, path, depth + 1)
        return self._read_conditions(parse_key(key, path), value, path)

    def _read_conditions(self, keys: tuple[str, ...], value: Any, path: str) -> Q:
        if isinstance(value, list | tuple):
            raise InvalidFilterError(path, "needs a value or operators; for a list use in or contains.")
        if not isinstance(value, Mapping):
            return self._read_condition(keys, "eq", value, path)
        if not value:
            raise InvalidFilterError(path, f"needs at least one operator: {', '.join(OPERATORS)}.")
        return _all(
            [self._read_condition(keys, name, part, join_path(path, name)) for name, part in value.items()]
        )

    def _read_condition(self, keys: tuple[str, ...], operator: Any, value: Any, path: str) -> Q:
        if operator not in OPERATORS:
            raise InvalidFilterError(
                path,
                f"there is no such operator. Allowed: {', '.join(OPERATORS)}. A nested key is written a.b.",
            )
        self.count += 1
        return COMPILERS[operator](keys, OPERATORS[operator](value, path))


def _all(parts: list[Q]) -> Q:
    return parts[0] if len(parts) == 1 else Q(*parts)
