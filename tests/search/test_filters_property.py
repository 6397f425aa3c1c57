import operator
import re
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.search.documents import EmbeddedDocument
from apps.search.filters import OPERATORS, compile_filter, count_facets
from apps.search.storage.pgvector import PgVectorProvider

MISSING = object()
# Few keys and values, so that rows and filters often meet; beside them, anything at all.
NAMES = ["a", "a", "a", "0", "a.b", "a\\", "and", "gte"]
SCALARS = ["a", "A", "ab", "1", 0, 1, 1.0, True, None]
EDGES = [2.0**53, 2**53 + 1, 10**23, 1e23, 10**300, 1e308, 5e-324, -0.0]
SIGNS = {"lt": operator.lt, "lte": operator.le, "gt": operator.gt, "gte": operator.ge}


def as_decimal(value):
    """Numbers as JSON writes them; a bool is none."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return Decimal(repr(value)) if is_number else value


strings = st.sampled_from(["", "a%", "é", "🙂", "\uffff"]) | st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), max_size=4
)
numbers = (
    st.sampled_from(EDGES) | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
)
common = st.sampled_from(SCALARS)
scalars = st.one_of(common, common, common, common, common, strings, numbers)
names = st.sampled_from(NAMES)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=5,
)
rows = st.lists(st.dictionaries(names, values, min_size=1, max_size=3), min_size=1, max_size=8)
ordered = scalars.filter(lambda value: isinstance(as_decimal(value), str | Decimal))
ranges = st.tuples(ordered, ordered).filter(lambda ends: isinstance(ends[0], str) == isinstance(ends[1], str))
lists = st.lists(scalars, max_size=4)
escaped = scalars.map(lambda value: re.sub(r"([\\%_])", r"\\\1", str(value)))
patterns = st.text(st.sampled_from("aAb%_1é🙂"), max_size=4) | escaped
OPERANDS = {
    "eq": scalars,
    "ne": scalars,
    **dict.fromkeys(SIGNS, ordered),
    "in": lists,
    "nin": lists,
    "between": ranges.map(list),
    "exists": st.booleans(),
    "contains": (st.lists(common, max_size=2) | values).filter(lambda value: value not in ([], {})),
    "like": patterns,
}
single = st.tuples(names)
paths = st.one_of(single, single, single, st.tuples(names, names), st.tuples(names, names, names))


def write_key(path):
    key = ".".join(re.sub(r"([\\.])", r"\\\1", name) for name in path)
    return "\\and" if key == "and" else key


operators = st.sampled_from(list(OPERATORS)).flatmap(
    lambda name: OPERANDS[name].map(lambda operand: {name: operand})
)
tests = st.lists(operators, min_size=1, max_size=2).map(lambda parts: parts[0] | parts[-1])
conditions = st.dictionaries(paths.map(write_key), scalars | tests | tests, min_size=1, max_size=2)
filters = st.recursive(
    conditions,
    lambda inner: (
        inner.map(lambda part: {"not": part})
        | st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"and": parts})
        | st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"or": parts})
    ),
    max_leaves=3,
)


def read_key(text):
    parts = re.findall(r"((?:[^\\.]|\\.)+)", text, re.DOTALL)
    return [re.sub(r"\\(.)", r"\1", part, flags=re.DOTALL) for part in parts]


def get(metadata, key):
    for name in read_key(key):
        if not isinstance(metadata, dict) or name not in metadata:
            return MISSING
        metadata = metadata[name]
    return metadata


def is_same(one, other):
    one, other = as_decimal(one), as_decimal(other)
    return type(one) is type(other) and one == other


def contains(outer, inner):
    if isinstance(outer, dict) and isinstance(inner, dict):
        return all(name in outer and contains(outer[name], value) for name, value in inner.items())
    if isinstance(outer, list) and isinstance(inner, list):
        return all(any(contains(item, value) for item in outer) for value in inner)
    return is_same(outer, inner)


def compares(sign, value, bound):
    value, bound = as_decimal(value), as_decimal(bound)
    return isinstance(value, str | Decimal) and type(value) is type(bound) and SIGNS[sign](value, bound)


def is_like(value, pattern):
    wild = {"%": ".*", "_": "."}
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    regex = "".join(wild.get(part) or re.escape(part[-1]) for part in parts)
    return isinstance(value, str) and re.fullmatch(regex, value, re.DOTALL) is not None


def holds(value, name, operand):
    if name in SIGNS:
        return compares(name, value, operand)
    match name:
        case "eq":
            return is_same(value, operand)
        case "in":
            return any(is_same(value, item) for item in operand)
        case "ne" | "nin":
            return not holds(value, {"ne": "eq", "nin": "in"}[name], operand)
        case "between":
            return compares("gte", value, operand[0]) and compares("lte", value, operand[1])
        case "exists":
            return (value is not MISSING) is operand
        case "contains":
            return contains(value, operand if isinstance(operand, dict | list) else [operand])
        case "like":
            return is_like(value, operand)


def matches(metadata, filter):
    return all(matches_entry(metadata, key, value) for key, value in filter.items())


def matches_entry(metadata, key, value):
    match key:
        case "and":
            return all(matches(metadata, part) for part in value)
        case "or":
            return any(matches(metadata, part) for part in value)
        case "not":
            return not matches(metadata, value)
    tests = value if isinstance(value, dict) else {"eq": value}
    return all(holds(get(metadata, key), name, operand) for name, operand in tests.items())


def fill(rows):
    provider = PgVectorProvider(space="test-filters")
    provider.clear()
    provider.add(
        EmbeddedDocument(str(number), "text", metadata, [1.0, 2.0]) for number, metadata in enumerate(rows)
    )
    return provider


many = settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def assert_agreement(rows, filters):
    provider = fill(rows)
    for filter in filters:
        found = provider.objects.filter(compile_filter(filter)).values_list("document_key", flat=True)
        expected = {str(number) for number, metadata in enumerate(rows) if matches(metadata, filter)}
        assert set(found) == expected, filter


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_keeps_the_rows_that_a_plain_evaluator_keeps(in_acme, name):
    @settings(many, max_examples=30)
    @given(st.lists(values, min_size=5, max_size=15), st.lists(OPERANDS[name], min_size=5, max_size=10))
    def check(values, operands):
        rows = [{"a": value} for value in values]
        assert_agreement([{}, *rows], [{"a": {name: operand}} for operand in operands])

    check()


@pytest.mark.usefixtures("in_acme")
@many
@given(rows, st.lists(filters, min_size=5, max_size=15))
def test_a_filter_keeps_the_rows_that_a_plain_evaluator_keeps(rows, filters):
    assert_agreement(rows, filters)


@pytest.mark.usefixtures("in_acme")
@many
@given(rows, paths)
def test_facets_count_what_a_plain_counter_counts(rows, path):
    provider = fill(rows)
    key = write_key(path)
    found = [value for metadata in rows if (value := get(metadata, key)) is not MISSING]
    elements = [value if isinstance(value, list) else [value] for value in found]

    facets = count_facets(provider.objects, key, limit=1_000)

    counts = [count for _, count in facets]
    assert counts == sorted(counts, reverse=True)
    for value, count in facets:
        assert sum(any(is_equal(value, item) for item in items) for items in elements) == count
    assert all(any(is_equal(value, item) for value, _ in facets) for items in elements for item in items)


def is_equal(one, other):
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_equal(one[name], other[name]) for name in one)
    return is_same(one, other)
