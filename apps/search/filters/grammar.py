"""From a filter, as JSON text or in Python, to conditions and groups of them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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


@dataclass(frozen=True)
class Condition:
    """One operator on the value under `keys`, which lead from the outermost object inwards."""

    keys: tuple[str, ...]
    operator: str
    value: Any


@dataclass(frozen=True)
class All:
    """Every part must hold."""

    parts: "tuple[Filter, ...]"


@dataclass(frozen=True)
class Some:
    """At least one part must hold."""

    parts: "tuple[Filter, ...]"


@dataclass(frozen=True)
class Not:
    """The part must not hold."""

    part: "Filter"


type Filter = Condition | All | Some | Not


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


def parse_filter(value: object) -> Filter:
    """Return the filter that a JSON object stands for; see `apps.search.filters` for the grammar.

    An empty object restricts nothing. Raises InvalidFilterError, whose path leads to the first fault.
    """
    if isinstance(value, Mapping) and not value:
        return All(())
    parsed = _parse_object(value, "", 1)
    if (count := _count(parsed)) > MAX_CONDITIONS:
        raise InvalidFilterError("", f"has {count:,} conditions; at most {MAX_CONDITIONS} are allowed.")
    return parsed


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


def _parse_object(value: object, path: str, depth: int) -> Filter:
    if not isinstance(value, Mapping):
        raise InvalidFilterError(path, f"needs an object of keys and conditions, not {name_type(value)}.")
    if not value:
        raise InvalidFilterError(path, "needs an object with at least one key.")
    if depth > MAX_DEPTH:
        raise InvalidFilterError(path, f"is nested too deeply; {MAX_DEPTH} levels are allowed.")
    return _all([_parse_entry(key, part, join_path(path, key), depth) for key, part in value.items()])


def _parse_entry(key: object, value: Any, path: str, depth: int) -> Filter:
    if key == "and":
        return All(_parse_list(value, path, depth))
    if key == "or":
        return Some(_parse_list(value, path, depth))
    if key == "not":
        return Not(_parse_object(value, path, depth + 1))
    return _parse_conditions(parse_key(key, path), value, path)


def _parse_list(value: Any, path: str, depth: int) -> tuple[Filter, ...]:
    parts = check_list(value, path)
    if not parts:
        raise InvalidFilterError(path, "needs a list with at least one filter.")
    return tuple(_parse_object(part, f"{path}[{number}]", depth + 1) for number, part in enumerate(parts))


def _parse_conditions(keys: tuple[str, ...], value: Any, path: str) -> Filter:
    if isinstance(value, list | tuple):
        raise InvalidFilterError(path, "needs a value or operators; for a list use in or contains.")
    if not isinstance(value, Mapping):
        return Condition(keys, "eq", OPERATORS["eq"](value, path))
    if not value:
        raise InvalidFilterError(path, f"needs at least one operator: {', '.join(OPERATORS)}.")
    return _all([_parse_condition(keys, name, part, join_path(path, name)) for name, part in value.items()])


def _parse_condition(keys: tuple[str, ...], operator: Any, value: Any, path: str) -> Condition:
    if operator not in OPERATORS:
        raise InvalidFilterError(
            path, f"there is no such operator. Allowed: {', '.join(OPERATORS)}. A nested key is written a.b."
        )
    return Condition(keys, operator, OPERATORS[operator](value, path))


def _all(parts: list[Any]) -> Filter:
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def _count(parsed: Filter) -> int:
    if isinstance(parsed, Condition):
        return 1
    if isinstance(parsed, Not):
        return _count(parsed.part)
    return sum(map(_count, parsed.parts))
