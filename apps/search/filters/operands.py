"""The values that a filter compares with, checked before PostgreSQL sees them."""

import sys
from collections.abc import Callable, Mapping
from typing import Any

from apps.search.options.texts import find_bad_character
from apps.search.options.values import is_number

MAX_DEPTH = 8  # of groups in a filter, parts of a key and levels of a value
MAX_VALUES = 1_000  # in a list or an object
LONGEST_PART = 80  # characters of a key that an error's path shows

_NAMES = {
    dict: "an object",
    list: "a list",
    tuple: "a list",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    type(None): "null",
}


class InvalidFilterError(ValueError):
    """A filter cannot be used: `path` leads to the fault, `reason` says what is wrong and what is allowed.

    A path looks like `and[1].year.gte`; it is empty where the whole filter is at fault.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}" if self.path else self.reason


def join_path(path: str, part: object) -> str:
    """Return the path one step on, in characters that any page or terminal can show."""
    text = part if isinstance(part, str) else f"({name_type(part)})"
    if len(text) > LONGEST_PART:
        text = f"{text[:LONGEST_PART]}…"
    text = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
    return f"{path}.{text}" if path else text


def name_type(value: object) -> str:
    """Return what JSON calls the value's type, with its article."""
    return _NAMES.get(type(value), f"a {type(value).__name__}")


def check_text(text: str, path: str) -> str:
    """Return the text, or raise InvalidFilterError for what PostgreSQL cannot hold."""
    if reason := find_bad_character(text):
        raise InvalidFilterError(path, f"{reason}. Remove it.")
    return text


def check_name(name: Any, path: str) -> str:
    """Return a key of an object; raise InvalidFilterError for what cannot be one."""
    if not isinstance(name, str):
        raise InvalidFilterError(path, f"is {name_type(name)}; a key must be a string.")
    return check_text(name, path)


def check_scalar(value: Any, path: str) -> Any:
    """Return a string, a number, true, false or null; raise InvalidFilterError for anything else."""
    if isinstance(value, str):
        return check_text(value, path)
    if value is None or isinstance(value, bool):
        return value
    if not is_number(value):
        raise InvalidFilterError(
            path, f"needs a string, a number, true, false or null, not {name_type(value)}."
        )
    if not abs(value) <= sys.float_info.max:  # false for NaN, too
        raise InvalidFilterError(
            path, f"needs a finite number from -{sys.float_info.max:.4g} to {sys.float_info.max:.4g}."
        )
    return value


def check_ordered(value: Any, path: str) -> Any:
    """Return a number or a string; raise InvalidFilterError for anything else."""
    if not is_number(value) and not isinstance(value, str):
        raise InvalidFilterError(path, f"needs a number or a string, not {name_type(value)}.")
    return check_scalar(value, path)


def check_scalars(value: Any, path: str) -> list[Any]:
    """Return a list of up to 1,000 scalars; raise InvalidFilterError for anything else."""
    return [check_scalar(item, f"{path}[{number}]") for number, item in enumerate(check_list(value, path))]


def check_range(value: Any, path: str) -> list[Any]:
    """Return [low, high], both numbers or both strings; raise InvalidFilterError for anything else."""
    ends = [check_ordered(item, f"{path}[{number}]") for number, item in enumerate(check_list(value, path))]
    if len(ends) != 2 or len({is_number(end) for end in ends}) != 1:
        raise InvalidFilterError(path, "needs [low, high], two numbers or two strings.")
    return ends


def check_boolean(value: Any, path: str) -> bool:
    """Return true or false; raise InvalidFilterError for anything else."""
    if not isinstance(value, bool):
        raise InvalidFilterError(path, f"needs true or false, not {name_type(value)}.")
    return value


def check_pattern(value: Any, path: str) -> str:
    """Return a pattern for LIKE; raise InvalidFilterError for anything else."""
    if not isinstance(value, str):
        raise InvalidFilterError(path, f"needs a string, not {name_type(value)}.")
    if (len(value) - len(value.rstrip("\\"))) % 2:
        raise InvalidFilterError(path, "ends with a backslash that escapes nothing; write \\\\ for one.")
    return check_text(value, path)


def check_contained(value: Any, path: str) -> Any:
    """Return any JSON value but an empty list or object; raise InvalidFilterError for anything else."""
    if isinstance(value, Mapping | list | tuple) and not value:
        raise InvalidFilterError(path, f"needs a value, not {name_type(value)} without any.")
    return _check_json(value, path, 1)


def check_list(value: Any, path: str) -> list[Any]:
    """Return a list of up to 1,000 items; raise InvalidFilterError for anything else."""
    if not isinstance(value, list | tuple):
        raise InvalidFilterError(path, f"needs a list, not {name_type(value)}.")
    _check_size(value, path)
    return list(value)


def _check_json(value: Any, path: str, depth: int) -> Any:
    if not isinstance(value, Mapping | list | tuple):
        return check_scalar(value, path)
    if depth > MAX_DEPTH:
        raise InvalidFilterError(path, f"is nested too deeply; {MAX_DEPTH} levels are allowed.")
    if isinstance(value, Mapping):
        _check_size(value, path)
        pairs = ((key, item, join_path(path, key)) for key, item in value.items())
        return {check_name(key, here): _check_json(item, here, depth + 1) for key, item, here in pairs}
    items = enumerate(check_list(value, path))
    return [_check_json(item, f"{path}[{number}]", depth + 1) for number, item in items]


def _check_size(value: Any, path: str) -> None:
    if len(value) > MAX_VALUES:
        raise InvalidFilterError(path, f"has {len(value):,} values; at most {MAX_VALUES:,} are allowed.")


# What each operator takes.
OPERATORS: dict[str, Callable[[Any, str], Any]] = {
    "eq": check_scalar,
    "ne": check_scalar,
    "lt": check_ordered,
    "lte": check_ordered,
    "gt": check_ordered,
    "gte": check_ordered,
    "in": check_scalars,
    "nin": check_scalars,
    "between": check_range,
    "exists": check_boolean,
    "contains": check_contained,
    "like": check_pattern,
}
