"""Checks of single values: each returns the value, or raises a ValueError that names the option."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from apps.search.options.texts import find_bad_character


def is_number(value: object) -> bool:
    """Return whether JSON calls the value a number; Python calls True one, too."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def require_int(name: str, value: object, *, minimum: int, maximum: int | None = None) -> int:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if is_whole and value >= minimum and (maximum is None or value <= maximum):  # type: ignore[operator]
        return value  # type: ignore[return-value]
    upper = "" if maximum is None else f" and at most {maximum}"
    raise ValueError(f"{name} must be a whole number of at least {minimum}{upper}, not {value!r}.")


def require_seconds(name: str, value: object) -> float:
    """Return a positive, finite number as a float."""
    if is_number(value) and 0 < value < float("inf"):  # type: ignore[operator]
        return float(value)  # type: ignore[arg-type]
    raise ValueError(f"{name} must be a positive number of seconds, not {value!r}.")


def require_bool(name: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError(f"{name} must be True or False, not {value!r}.")


def require_text(name: str, value: object, *, allow_empty: bool = False) -> str:
    """Return a text that can be stored and sent on."""
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a str, not {type(value).__name__}.")
    if not allow_empty and not value.strip():
        raise ValueError(f"{name} must not be blank.")
    if reason := find_bad_character(value):
        raise ValueError(f"{name} {reason}.")
    return value


def require_dict(name: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} must be a dict, not {type(value).__name__}.")
    return value


def require_known(kind: str, names: Iterable[object], allowed: Collection[str], *, of: str = "") -> None:
    """Raise ValueError for the first name that is not allowed; `kind` says what it names, such as "key"."""
    for name in names:
        if name not in allowed:
            listed = ", ".join(allowed) or "none"
            raise ValueError(f"unknown {kind} {name!r}{of and f' for {of}'}; allowed are: {listed}.")
