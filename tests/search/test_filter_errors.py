import json
import math
import sys
from decimal import Decimal

import pytest

from apps.search.filters import InvalidFilterError, compile_filter, read_filter

NO_SUCH_OPERATOR = "there is no such operator. Allowed: eq, ne, lt, lte, gt, gte, in, nin, between, exists, "
SCALAR = "needs a string, a number, true, false or null, not "
ORDERED = "needs a number or a string, not "
FINITE = "needs a finite number from -1.798e+308 to 1.798e+308."
NUL = "contains a NUL byte at character 1. Remove it."
SURROGATE = "contains a lone surrogate (U+"
BACKSLASH = "ends with a backslash that escapes nothing; write \\\\ for one."
DEEP = "is nested too deeply; 8 levels are allowed."


def name(value):
    return ascii(value)[:40] if isinstance(value, str) else None


def nest(depth, inner):
    for _ in range(depth):
        inner = {"not": inner}
    return inner


@pytest.mark.parametrize(
    ("filter", "path", "reason"),
    [
        ([], "", "needs an object of keys and conditions, not a list."),
        ("lang", "", "needs an object of keys and conditions, not a string."),
        ({"year": {"gt3": 1}}, "year.gt3", NO_SUCH_OPERATOR),
        ({"year": {"$gt": 1}}, "year.$gt", NO_SUCH_OPERATOR),
        ({"year": {"EQ": 1}}, "year.EQ", NO_SUCH_OPERATOR),
        ({"author": {"name": "Ada"}}, "author.name", NO_SUCH_OPERATOR),
        ({"year": {7: 1}}, "year.(a number)", NO_SUCH_OPERATOR),
        ({"year": {}}, "year", "needs at least one operator: eq, ne, "),
        ({"year": [1, 2]}, "year", "needs a value or operators; for a list use in or contains."),
        (
            {"and": [{"lang": "en"}, {"year": {"gte": True}}]},
            "and[1].year.gte",
            f"{ORDERED}a boolean.",
        ),
        (
            {"or": [{"not": {"a.b": {"lt": None}}}]},
            "or[0].not.a.b.lt",
            f"{ORDERED}null.",
        ),
        ({"a": {"gt": [1]}}, "a.gt", f"{ORDERED}a list."),
        ({"a": {"eq": [1]}}, "a.eq", f"{SCALAR}a list."),
        ({"a": Decimal(1)}, "a", f"{SCALAR}a Decimal."),
        ({"a": {"ne": {"b": 1}}}, "a.ne", f"{SCALAR}an object."),
        ({"a": {"in": "en"}}, "a.in", "needs a list, not a string."),
        (
            {"a": {"nin": [1, {}]}},
            "a.nin[1]",
            f"{SCALAR}an object.",
        ),
        ({"a": {"in": [1] * 1_001}}, "a.in", "has 1,001 values; at most 1,000 are allowed."),
        ({"a": {"between": 1}}, "a.between", "needs a list, not a number."),
        ({"a": {"between": [1]}}, "a.between", "needs [low, high], two numbers or two strings."),
        ({"a": {"between": [1, "2"]}}, "a.between", "needs [low, high], two numbers or two strings."),
        ({"a": {"between": [1, True]}}, "a.between[1]", f"{ORDERED}a boolean."),
        ({"a": {"exists": 1}}, "a.exists", "needs true or false, not a number."),
        ({"a": {"like": 1}}, "a.like", "needs a string, not a number."),
        (
            {"a": {"like": "a\\\\\\"}},
            "a.like",
            BACKSLASH,
        ),
        ({"a": {"contains": []}}, "a.contains", "needs a value, not a list without any."),
        ({"a": {"contains": {}}}, "a.contains", "needs a value, not an object without any."),
        (
            {"a": {"contains": [{"b": [math.nan]}]}},
            "a.contains[0].b[0]",
            FINITE,
        ),
        (
            {"a": {"contains": {"b\0": 1}}},
            "a.contains.b\\x00",
            NUL,
        ),
        ({"a": {"contains": {1: 1}}}, "a.contains.(a number)", "is a number; a key must be a string."),
        ({"and": []}, "and", "needs a list with at least one filter."),
        ({"or": []}, "or", "needs a list with at least one filter."),
        ({"or": {"a": 1}}, "or", "needs a list, not an object."),
        ({"and": [{"a": 1}, {}]}, "and[1]", "needs an object with at least one key."),
        ({"and": [1]}, "and[0]", "needs an object of keys and conditions, not a number."),
        ({"not": {}}, "not", "needs an object with at least one key."),
        ({"not": [{"a": 1}]}, "not", "needs an object of keys and conditions, not a list."),
        ({"a": math.nan}, "a", FINITE),
        ({"a": {"lt": math.inf}}, "a.lt", FINITE),
        ({"a": {"in": [0, -math.inf]}}, "a.in[1]", FINITE),
        ({"a": {"gte": 10**400}}, "a.gte", FINITE),
        ({"a": 10**5_000}, "a", FINITE),
        ({10**5_000: 1}, "(a number)", "is a number; a key must be a string."),
        ({"a": "x\0"}, "a", NUL),
        (
            {"a": {"like": "\ud800"}},
            "a.like",
            f"{SURROGATE}D800) at character 0.",
        ),
        (
            {"a": {"in": ["b", "\udfff"]}},
            "a.in[1]",
            f"{SURROGATE}DFFF) at character 0.",
        ),
        ({"x\0": 1}, "x\\x00", NUL),
        ({"\ud800": 1}, "\\ud800", f"{SURROGATE}D800) at character 0."),
        ({"a": {"\ud800": 1}}, "a.\\ud800", NO_SUCH_OPERATOR),
        ({5: 1}, "(a number)", "is a number; a key must be a string."),
        ({"": 1}, "", "has an empty part; write \\. for a dot within a key."),
        ({"a..b": 1}, "a..b", "has an empty part; write \\. for a dot within a key."),
        ({"a.": 1}, "a.", "has an empty part; write \\. for a dot within a key."),
        ({"a\\": 1}, "a\\", BACKSLASH),
        ({".".join("abcdefghi"): 1}, "a.b.c.d.e.f.g.h.i", "has 9 parts; at most 8 are allowed."),
        ({"k" * 1_001: 1}, "k" * 80 + "…", "is a key of 1,001 characters; 1,000 are allowed."),
        (nest(8, {"a": 1}), ".".join(["not"] * 8), DEEP),
        (
            {"a": {"contains": [[[[[[[[[1]]]]]]]]]}},
            "a.contains" + "[0]" * 8,
            DEEP,
        ),
        ({"and": [{"a": {"gt": 1, "lt": 2}}] * 51}, "", "has 102 conditions; at most 100 are allowed."),
        ({"and": [{"a": 1}] * 1_001}, "and", "has 1,001 values; at most 1,000 are allowed."),
    ],
    ids=name,
)
def test_a_fault_is_named_with_its_path(filter, path, reason):
    with pytest.raises(InvalidFilterError) as caught:
        compile_filter(filter)

    assert caught.value.path == path
    assert caught.value.reason.startswith(reason)
    assert str(caught.value).startswith(f"{path}: {reason}" if path else reason)
    assert str(caught.value).encode()


def test_limits_are_inclusive():
    compile_filter(nest(7, {"a": 1}))
    compile_filter({"and": [{"a": 1}] * 100})
    compile_filter({"a": {"in": list(range(1_000))}})
    compile_filter({"k" * 1_000: 1})
    compile_filter({"a": sys.float_info.max})
    compile_filter({".".join("abcdefgh"): 1})


@pytest.mark.parametrize(
    ("text", "path", "reason"),
    [
        (
            "{",
            "",
            "is not JSON: Expecting property name",
        ),
        ("lang=en", "", "is not JSON: Expecting value"),
        ("[" * 100_000, "", DEEP),
        ("null", "", "needs an object of keys and conditions, not null."),
        ('{"a": 1, "b": {"gt": 1, "gt": 2}}', "gt", "occurs twice in one object; use and."),
        ('{"a": NaN}', "a", FINITE),
        ('{"a": {"lt": 1e999}}', "a.lt", FINITE),
        (f'{{"a": {{"lt": -{"9" * 5_000}}}}}', "a.lt", FINITE),
        ('{"a": {"eq": "\\ud800"}}', "a.eq", "contains a lone surrogate (U+D800) at character 0."),
        ('{"a": {"eq": "\\u0000"}}', "a.eq", "contains a NUL byte at character 0."),
    ],
    ids=name,
)
def test_a_fault_in_json_is_named_with_its_path(text, path, reason):
    with pytest.raises(InvalidFilterError) as caught:
        read_filter(text)

    assert caught.value.path == path
    assert caught.value.reason.startswith(reason)


def test_json_is_read_as_it_is_written():
    filter = {"a\\.b": {"between": [-1, 2.5]}, "or": [{"c": None}, {"ü": True}]}

    assert read_filter(json.dumps(filter)) == filter
