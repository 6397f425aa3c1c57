"""A filter in words, part by part, and links that add or take away a part."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.search.filters import InvalidFilterError, compile_filter, find_array_keys, parse_key, read_filter
from apps.search.providers import get_provider
from apps.search.searching.answering import SearchAnswer, SearchRequest
from apps.search.searching.forms import MAX_FILTER_LENGTH

type Filter = Mapping[str, Any]

LONGEST_VALUE = 60  # characters
GROUPS = ("and", "or", "not")
SHOWN = 8  # values of a facet that are shown at once
WORDS = {
    "eq": "{key}: {value}",
    "ne": "{key}: not {value}",
    "lt": "{key} < {value}",
    "lte": "{key} ≤ {value}",
    "gt": "{key} > {value}",
    "gte": "{key} ≥ {value}",
    "in": "{key}: {value}",
    "nin": "{key}: not {value}",
    "contains": "{key} contains {value}",
    "like": "{key} is like {value}",
}


@dataclass(frozen=True)
class Part:
    """One of the conditions that must all hold, in words; `rest` is the filter without it, perhaps ""."""

    text: str
    rest: str


@dataclass(frozen=True)
class Choice:
    """A facet's value in words, how many documents have it, and the filter that also wants it.

    `filter` is "" where the value is wanted already, is an object or a list, or is one part too many.
    """

    text: str
    count: int
    filter: str
    is_chosen: bool


@dataclass(frozen=True)
class Facet:
    """The most frequent values of a key; the first few of them, and the others."""

    key: str
    first: Sequence[Choice]
    others: Sequence[Choice]


def list_parts(filter: Filter | None) -> list[Part]:
    """Return the parts of a valid filter."""
    units = list(_split(filter or {}))
    return [
        Part(_describe(unit), _join([*units[:place], *units[place + 1 :]]))
        for place, unit in enumerate(units)
    ]


def list_facets(asked: SearchRequest, answer: SearchAnswer) -> list[Facet]:
    """Return the facets of an answer with filters to go on with; one statement, if there are any."""
    if not asked.facets:
        return []
    rows = get_provider(asked.index).objects.filter(compile_filter(asked.filter))
    in_arrays = find_array_keys(rows, asked.facets)
    facets = []
    for key, counted in answer.facets.items():
        choices = [
            _make_choice(asked.filter or {}, key, each["value"], each["count"], key in in_arrays)
            for each in counted
        ]
        facets.append(Facet(_name(key), choices[:SHOWN], choices[SHOWN:]))
    return facets


def _make_choice(filter: Filter, key: str, value: Any, count: int, is_in_arrays: bool) -> Choice:
    text = _describe_value(value)
    if isinstance(value, dict | list):  # a filter cannot ask for exactly this one
        return Choice(text, count, "", is_chosen=False)
    key = f"\\{key}" if key in GROUPS else key
    unit: Filter = {key: value}
    if is_in_arrays:
        unit = {"or": [unit, {key: {"contains": [value]}}]}
    units = list(_split(filter))
    if _join([unit]) in [_join([each]) for each in units]:  # as JSON, where 1 is not true
        return Choice(text, count, "", is_chosen=True)
    return Choice(text, count, _check(_join([*units, unit])), is_chosen=False)


def _check(filter: str) -> str:
    try:
        read_filter(filter)
    except InvalidFilterError:  # with one part more it is too deep, say
        return ""
    return filter if len(filter) <= MAX_FILTER_LENGTH else ""


def _split(filter: Filter) -> Iterator[dict[str, Any]]:
    """Yield the filters that must all hold."""
    for key, value in filter.items():
        if key == "and":
            for part in value:
                yield from _split(part)
        else:
            yield {key: value}


def _join(units: Sequence[Filter]) -> str:
    joined: dict[str, Any] = {}
    for unit in units:
        joined |= unit
    if len(joined) < len(units):  # two are of one key
        joined = {"and": list(units)}
    return json.dumps(joined, ensure_ascii=False) if joined else ""


def _describe(filter: Filter) -> str:
    texts = []
    for key, value in filter.items():
        if key == "and":
            texts += [_enclose(part) for part in value]
        elif key == "or":
            texts.append(_describe_facet(value) or " or ".join(_enclose(part) for part in value))
        elif key == "not":
            texts.append(f"not {_enclose(value)}")
        else:
            conditions = value if isinstance(value, Mapping) else {"eq": value}
            texts += [_describe_condition(_name(key), *condition) for condition in conditions.items()]
    return " and ".join(texts)


def _enclose(filter: Filter) -> str:
    text = _describe(filter)
    return f"({text})" if " and " in text or " or " in text else text


def _describe_facet(parts: Sequence[Filter]) -> str:
    """Return the words for what `_make_choice` writes for a value that may be within an array, else ""."""
    if len(parts) != 2 or len(parts[0]) != 1:
        return ""
    ((key, value),) = parts[0].items()
    return _describe(parts[0]) if parts[1] == {key: {"contains": [value]}} else ""


def _describe_condition(key: str, operator: str, value: Any) -> str:
    if operator == "exists":
        return f"has {key}" if value else f"has no {key}"
    if operator == "between":
        low, high = map(_describe_value, value)
        return f"{key}: {low} to {high}"
    values = value if isinstance(value, list | tuple) else [value]
    joint = " and " if operator == "contains" else " or "
    return WORDS[operator].format(key=key, value=joint.join(map(_describe_value, values)) or "nothing")


def _describe_value(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if not text.strip():
        return "“”"
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def _name(key: str) -> str:
    return ".".join(parse_key(key, key))
