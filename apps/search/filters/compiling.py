"""From conditions to SQL. Keys and values are parameters; only the operators below are text of a statement.

No condition is ever NULL and none can fail on a row, so NOT means "all other rows". For the operators see
PostgreSQL's manual, "JSON Functions and Operators" and "jsonb Containment and Existence".
"""

from collections.abc import Callable
from functools import reduce
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db.models import BooleanField, F, Field, Func, JSONField, Q, TextField, Value
from django.db.models.functions import Collate

from apps.search.options.values import is_number

type Keys = tuple[str, ...]


def get_value(keys: Keys) -> Any:
    """Return the expression of the jsonb value under these keys, NULL for a row that lacks it."""
    # The operator -> with a text takes an object's key only, unlike #>, which also counts in arrays.
    return reduce(lambda value, key: _infix("->", value, Value(key), JSONField()), keys, F("metadata"))


def has_value(keys: Keys) -> Any:
    """Return the expression of whether a row has the key."""
    return Func(get_value(keys), template="(%(expressions)s IS NOT NULL)", output_field=BooleanField())


def has_type(keys: Keys, name: str) -> Any:
    """Return the expression of whether the value is of a type of `jsonb_typeof`; false when it is missing."""
    found = Func(get_value(keys), function="jsonb_typeof", output_field=TextField())
    return _infix("IS NOT DISTINCT FROM", found, Value(name))


def _equals(keys: Keys, value: Any) -> Q:
    return Q(metadata__contains=_nest(keys, value))


def _is_in(keys: Keys, values: list[Any]) -> Q:
    objects = Value([_nest(keys, value) for value in values], ArrayField(JSONField()))
    return Q(_infix("@>", F("metadata"), Func(objects, function="ANY")))


def _compare(operator: str) -> Callable[[Keys, Any], Q]:
    def compile_comparison(keys: Keys, value: Any) -> Q:
        if is_number(value):
            holds = _infix(operator, get_value(keys), Value(value, JSONField()))
            return Q(has_type(keys, "number")) & Q(holds)
        text = _infix("->>", get_value(keys[:-1]), Value(keys[-1]), TextField())
        # Whatever the database's collation is, strings compare by code point.
        return Q(has_type(keys, "string")) & Q(_infix(operator, Collate(text, "C"), Value(value)))

    return compile_comparison


def _infix(operator: str, left: Any, right: Any, output_field: Field | None = None) -> Any:
    return Func(
        left,
        right,
        template="(%(expressions)s)",
        arg_joiner=f" {operator} ",
        output_field=output_field or BooleanField(),
    )


def _nest(keys: Keys, value: Any) -> dict[str, Any]:
    return reduce(lambda inner, key: {key: inner}, reversed(keys), value)


COMPILERS: dict[str, Callable[[Keys, Any], Q]] = {
    "eq": _equals,
    "ne": lambda keys, value: ~_equals(keys, value),
    "lt": _compare("<"),
    "lte": _compare("<="),
    "gt": _compare(">"),
    "gte": _compare(">="),
    "in": _is_in,
    "nin": lambda keys, values: ~_is_in(keys, values),
    "between": lambda keys, ends: _compare(">=")(keys, ends[0]) & _compare("<=")(keys, ends[1]),
    "exists": lambda keys, wanted: Q(has_value(keys)) if wanted else ~Q(has_value(keys)),
    "contains": lambda keys, value: _equals(keys, value if isinstance(value, dict | list) else [value]),
    "like": _compare("LIKE"),
}
