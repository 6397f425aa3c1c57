"""How often each value of some keys occurs."""

from collections.abc import Sequence
from typing import Any

from django.contrib.postgres.aggregates import BoolOr
from django.db.models import Case, Count, F, Func, JSONField, QuerySet, Value, When, Window
from django.db.models.functions import RowNumber

from apps.search.filters.compiling import get_value, has_type, has_value
from apps.search.filters.grammar import parse_key
from apps.search.options.values import require_int

MAX_FACETS = 1_000


def count_facets(queryset: QuerySet, key: str, limit: int = 20) -> list[tuple[Any, int]]:
    """Return the values of one key, as `count_all_facets` does of several."""
    return count_all_facets(queryset, [key], limit)[key]


def count_all_facets(
    queryset: QuerySet, keys: Sequence[str], limit: int = 20
) -> dict[str, list[tuple[Any, int]]]:
    """Return the values of each key in a queryset of documents, each with how many documents have it.

    Most frequent first, then by value; `limit` is 1 to 1,000. A document with an array counts once for each
    of its elements; one that lacks the key does not count. Values are Python's: str, int, float, bool, None,
    and dict or list for an object or an array within an array. The order of the queryset does not matter. All
    keys are counted in one statement, which reads each document once.

    Raises InvalidFilterError for a key that a filter could not name, ValueError for a bad limit, and, as
    Django does, TypeError for a queryset that is sliced already.
    """
    parsed = {key: parse_key(key, "key") for key in keys}
    require_int("limit", limit, minimum=1, maximum=MAX_FACETS)
    different = list(dict.fromkeys(parsed.values()))
    found: list[list[tuple[Any, int]]] = [[] for _ in different]
    if different:
        for (number, value), count in _count(queryset, different, limit):
            found[number].append((value, count))
    return {key: found[different.index(parts)] for key, parts in parsed.items()}


def find_array_keys(queryset: QuerySet, keys: Sequence[str]) -> set[str]:
    """Return those of the keys that have an array in any document of a queryset; one statement."""
    names = {f"is_array_{number}": key for number, key in enumerate(keys)}
    found = queryset.order_by().aggregate(
        **{name: BoolOr(has_type(parse_key(key, "key"), "array")) for name, key in names.items()}
    )
    return {names[name] for name, is_array in found.items() if is_array}


def _count(queryset: QuerySet, keys: Sequence[tuple[str, ...]], limit: int) -> QuerySet:
    """Return pairs of (a key's number and a value of it) with how many documents have it."""
    values = queryset.order_by().values(pair=_Elements(_Pairs(*map(_make_array, keys))))
    counted = values.annotate(count=Count("pk"))
    number = Func(F("pair"), Value(0), function="jsonb_array_element", output_field=JSONField())
    place = Window(RowNumber(), partition_by=number, order_by=[F("count").desc(), F("pair")])
    best = counted.annotate(place=place).filter(place__lte=limit)
    return best.order_by("-count", "pair").values_list("pair", "count")


def _make_array(keys: tuple[str, ...]) -> Case:
    value = get_value(keys)
    alone = Func(value, function="jsonb_build_array", output_field=JSONField())
    return Case(When(has_type(keys, "array"), then=value), When(has_value(keys), then=alone))


class _Elements(Func):
    function = "jsonb_array_elements"
    output_field = JSONField()
    set_returning = True


class _Pairs(Func):
    """The different elements of some arrays in one array, each in a pair with its array's number."""

    function = "ARRAY"
    template = (
        "(SELECT jsonb_agg(DISTINCT jsonb_build_array(facet.number - 1, element.value)) "
        "FROM unnest(ARRAY[%(expressions)s]) WITH ORDINALITY AS facet (found, number), "
        "jsonb_array_elements(facet.found) AS element (value))"
    )
    output_field = JSONField()
