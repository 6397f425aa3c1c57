"""How often each value of a key occurs."""

from typing import Any

from django.db.models import Case, Count, Func, JSONField, QuerySet, When

from apps.search.filters.compiling import get_value, has_type, has_value
from apps.search.filters.grammar import parse_key
from apps.search.options.values import require_int

MAX_FACETS = 1_000


def count_facets(queryset: QuerySet, key: str, limit: int = 20) -> list[tuple[Any, int]]:
    """Return the values of a key in a queryset of documents, each with how many documents have it.

    Most frequent first, then by value; `limit` is 1 to 1,000. A document with an array counts once for each
    of its elements; one that lacks the key does not count. Values are Python's: str, int, float, bool, None,
    and dict or list for an object or an array within an array. The order of the queryset does not matter.

    Raises InvalidFilterError for a key that a filter could not name, ValueError for a bad limit, and, as
    Django does, TypeError for a queryset that is sliced already.
    """
    keys = parse_key(key, "key")
    require_int("limit", limit, minimum=1, maximum=MAX_FACETS)
    value = get_value(keys)
    alone = Func(value, function="jsonb_build_array", output_field=JSONField())
    array = Case(When(has_type(keys, "array"), then=value), When(has_value(keys), then=alone))
    values = queryset.order_by().values(facet_value=_Elements(array))
    counted = values.annotate(facet_count=Count("pk", distinct=True)).order_by("-facet_count", "facet_value")
    return list(counted.values_list("facet_value", "facet_count")[:limit])


class _Elements(Func):
    function = "jsonb_array_elements"
    output_field = JSONField()
    set_returning = True
