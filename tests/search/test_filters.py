import re

import pytest
from django.conf import settings
from django.db import connection
from django.db.models.sql import Query

from apps.search import filters
from apps.search.documents import EmbeddedDocument
from apps.search.filters import OPERATORS, compile_filter, count_facets
from apps.search.filters.compiling import COMPILERS
from apps.search.storage.pgvector import PgVectorProvider
from apps.search.storage.pgvector.models import PgVectorEmbedding
from tenants.context import tenant_context

ROWS = {
    "en": {"lang": "en", "year": 2020, "author": {"name": "Ada"}, "tags": ["x", "y"]},
    "de": {"lang": "de", "year": 2021.5, "author": {"name": "Bo%b"}, "tags": ["x"]},
    "odd": {"lang": None, "year": "2020", "author": "Ada", "tags": "x"},
    "bare": {},
}
HOSTILE_KEYS = [
    "a__contains",
    "metadata__lang",
    "'; drop table notes_note; --",
    '"',
    "$",
    "$.a",
    "%s",
    "%(a)s",
    "{}",
    "?",
    "0",
    "-1",
    " ",
    "\n",
    "\\",
    "a.b",
    "and",
    "漢字🙂",
    "\u202e",
    "k" * 300,
]


HOSTILE_VALUES = ["'; select 1; --", "%s", "%", "\\", "a\\", '"', "🙂", "\n", "null", "{}"]


def add_rows(rows):
    provider = PgVectorProvider(space="test-filters")
    provider.add(EmbeddedDocument(str(key), "text", metadata, [1.0, 2.0]) for key, metadata in rows.items())
    return provider


def find(provider, filter):
    return sorted(row.document_key for row in provider.objects.filter(compile_filter(filter)))


def escape(key):
    return "".join(f"\\{character}" if character in "\\." else character for character in key)


@pytest.fixture
def provider(in_acme):
    return add_rows(ROWS)


@pytest.mark.parametrize(
    ("filter", "keys"),
    [
        (None, "bare de en odd"),
        ({}, "bare de en odd"),
        ({"lang": "en"}, "en"),
        ({"lang": {"eq": "en"}}, "en"),
        ({"lang": None}, "odd"),
        ({"lang": {"ne": "en"}}, "bare de odd"),
        ({"year": 2020.0}, "en"),
        ({"year": {"gte": 2020, "lt": 2021}}, "en"),
        ({"year": {"gt": 2020}}, "de"),
        ({"year": {"lte": 2020}}, "en"),
        ({"year": {"lt": 2020}}, ""),
        ({"lang": {"lte": "de"}}, "de"),
        ({"year": {"gt": "1999"}}, "odd"),
        ({"year": {"between": [2020, 2021.5]}}, "de en"),
        ({"not": {"year": {"gt": 2020}}}, "bare en odd"),
        ({"lang": {"in": ["en", None]}}, "en odd"),
        ({"lang": {"nin": ["en", None]}}, "bare de"),
        ({"lang": {"in": []}}, ""),
        ({"lang": {"nin": []}}, "bare de en odd"),
        ({"lang": {"exists": True}}, "de en odd"),
        ({"lang": {"exists": False}}, "bare"),
        ({"author.name": {"exists": True}}, "de en"),
        ({"author.name": {"like": "A%"}}, "en"),
        ({"author.name": {"like": "a%"}}, ""),
        ({"author.name": {"like": "_o\\%b"}}, "de"),
        ({"tags": {"contains": "x"}}, "de en"),
        ({"tags": {"contains": ["y", "x"]}}, "en"),
        ({"author": {"contains": {"name": "Ada"}}}, "en"),
        ({"and": [{"lang": "en"}, {"year": 2020}]}, "en"),
        ({"or": [{"lang": "de"}, {"year": "2020"}]}, "de odd"),
        ({"lang": "en", "year": {"lt": 2020}}, ""),
        ({"not": {"or": [{"lang": "de"}, {"not": {"lang": "en"}}]}}, "en"),
    ],
    ids=str,
)
def test_filter_keeps_the_rows_it_describes(provider, filter, keys):
    assert find(provider, filter) == keys.split()


@pytest.mark.parametrize("key", HOSTILE_KEYS, ids=ascii)
def test_a_hostile_key_is_only_a_key(in_acme, key):
    provider = add_rows({"1": {key: "v"}, "2": {"a": {key: "v"}}, "3": {"a": ["v"]}, "4": {"lang": "v"}})
    # A backslash before the first character keeps a word of the grammar from being one.
    name = f"\\{key}" if key == "and" else escape(key)

    for condition in ({"eq": "v"}, {"in": ["v"]}, {"gte": "v"}, {"like": "v"}, {"exists": True}):
        assert find(provider, {name: condition}) == ["1"]
        assert find(provider, {f"a.{name}": condition}) == ["2"]
    assert count_facets(provider.objects, name) == [("v", 1)]
    assert count_facets(provider.objects, f"a.{name}") == [("v", 1)]


@pytest.mark.parametrize("value", HOSTILE_VALUES, ids=ascii)
def test_a_hostile_value_is_only_a_value(in_acme, value):
    provider = add_rows({"1": {"a": value}, "2": {"a": "other"}})

    for condition in ({"eq": value}, {"in": [value]}, {"between": [value, value]}):
        assert find(provider, {"a": condition}) == ["1"]


def test_a_number_names_no_position_in_an_array(in_acme):
    provider = add_rows({"array": {"a": [5]}, "object": {"a": {"0": 5}}})

    for condition in (5, {"gte": 5}, {"exists": True}, {"in": [5]}):
        assert find(provider, {"a.0": condition}) == ["object"]


def test_rows_of_any_type_fail_no_comparison(in_acme):
    values = [None, True, 1, -0.0, 1e308, 10**300, "1", "", "x", [], [1], {}, {"b": 1}]
    provider = add_rows({number: {"a": value} for number, value in enumerate(values)})

    for operator in ("lt", "lte", "gt", "gte"):
        for bound in (0, 1e308, "", "1"):
            kept, left = ({"a": {operator: bound}}, {"not": {"a": {operator: bound}}})
            assert len(find(provider, kept)) + len(find(provider, left)) == len(values)
    assert find(provider, {"a": {"gt": 1}}) == ["4", "5"]


def test_a_filter_joins_a_search(provider):
    found = provider.nearest([1.0, 2.0]).filter(compile_filter({"lang": {"in": ["en", "de"]}}))

    assert (found.count(), len(found[:1])) == (2, 1)


@pytest.mark.parametrize(
    "filter",
    [
        {"lang": "en"},
        {"author.name": "Ada"},
        {"tags": {"contains": "x"}},
        {"author": {"contains": {"name": "Ada"}}},
        {"lang": {"in": ["en", "de"]}},
    ],
    ids=str,
)
def test_containment_is_served_by_a_gin_index(as_owner, in_acme, filter):
    add_rows({number: {"n": number} for number in range(50)})
    table = PgVectorEmbedding._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f'CREATE INDEX meta_gin ON "{table}" USING gin (metadata jsonb_path_ops)')
        cursor.execute("SET LOCAL enable_seqscan = off")
    rows = PgVectorEmbedding.objects.filter(compile_filter(filter))

    assert " @> " in str(rows.query)
    assert "Bitmap Index Scan on meta_gin" in rows.explain()


def test_keys_and_values_are_parameters(in_acme):
    filter = {
        "secret.part": {"gt": "private", "like": "hidden%", "in": ["covert"]},
        "other": {"contains": "x"},
    }
    query = Query(PgVectorEmbedding)
    query.add_q(compile_filter(filter))

    sql, params = query.sql_with_params()

    assert not any(word in sql for word in ("secret", "part", "private", "hidden", "covert", "other"))
    assert {"secret", "part", "private", "hidden%"} <= {param for param in params if isinstance(param, str)}


def test_strings_compare_by_code_point_whatever_the_collation_of_the_database(in_acme):
    rows = PgVectorEmbedding.objects.filter(compile_filter({"a": {"gt": "b"}}))

    assert ' COLLATE "C" > ' in str(rows.query)


def test_every_operator_is_checked_and_compiled():
    assert list(OPERATORS) == list(COMPILERS)


def test_every_operator_is_described():
    guide = (settings.BASE_DIR / "docs/how-to/searching.md").read_text()
    table = "\n".join(line.split("|")[1] for line in guide.splitlines() if line.startswith("|"))

    for name in OPERATORS:
        assert f"`{name}`" in table
        assert re.search(rf"^    (\w+, )*{name}\b", filters.__doc__, re.MULTILINE), name


def test_a_filter_reads_its_own_tenant_only(acme, globex):
    for tenant, count in ((acme, 2), (globex, 3)):
        with tenant_context(tenant):
            add_rows({number: {"owner": tenant.name, "lang": "en"} for number in range(count)})
    with tenant_context(acme):
        provider = PgVectorProvider(space="test-filters")

        owners = {row.metadata["owner"] for row in provider.objects.filter(compile_filter({"lang": "en"}))}

        assert owners == {"Acme"}
        assert find(provider, {"owner": "Globex"}) == []
