r"""Filters on the metadata of documents: one grammar, in Python and, as JSON, in the API.

    {"lang": "en"}                            the key has this value; short for {"lang": {"eq": "en"}}
    {"year": {"gte": 2020, "lt": 2025}}       several operators: all must hold
    {"lang": "en", "year": {"gte": 2020}}     several keys: all must hold
    {"author.name": {"like": "A%"}}           a key within an object
    {"and": [F, ...]}  {"or": [F, ...]}  {"not": F}

    eq, ne              a string, a number, true, false or null
    lt, lte, gt, gte    a number or a string; strings compare by code point
    between             [low, high], both numbers or both strings, both ends included
    in, nin             a list of what eq takes; nothing is in an empty list
    exists              true or false: whether the row has the key, even with the value null
    contains            an array has the value, or all values of the list; an object has these pairs
    like                a pattern for strings: % any characters, _ one, \ the next as it is; case matters

A backslash takes the next character of a key as it is: `a\.b` is the one key "a.b", `\and` the key "and".

A row matches a comparison only with a value of the same type: 1 equals 1.0, not true and not "1". Numbers
compare as they are written, in decimals. A row that lacks the key matches no operator but `exists: false`
and the negations: `ne`, `nin` and `not` match exactly the rows that `eq`, `in` and the inner filter do not.
A key is only ever an object's key, never a position in an array.

`eq`, `in` and `contains` use the operator @>, which an index `GIN (metadata jsonb_path_ops)` serves.
"""

from apps.search.filters.facets import count_all_facets, count_facets, find_array_keys
from apps.search.filters.grammar import compile_filter, count_values, parse_key, read_filter
from apps.search.filters.operands import OPERATORS, InvalidFilterError

__all__ = [
    "OPERATORS",
    "InvalidFilterError",
    "compile_filter",
    "count_all_facets",
    "count_facets",
    "count_values",
    "find_array_keys",
    "parse_key",
    "read_filter",
]
