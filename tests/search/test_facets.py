import pytest

from apps.search.documents import EmbeddedDocument
from apps.search.filters import InvalidFilterError, compile_filter, count_all_facets, count_facets
from apps.search.storage.pgvector import PgVectorProvider
from tenants.context import tenant_context


def add_rows(values, key="k"):
    provider = PgVectorProvider(space="test-facets")
    provider.add(
        EmbeddedDocument(str(number), "text", {key: value}, [1.0, 2.0]) for number, value in enumerate(values)
    )
    return provider


def test_the_most_frequent_value_comes_first(in_acme):
    provider = add_rows(["a", "b", "b", "c", "c", "c"])

    assert count_facets(provider.objects, "k") == [("c", 3), ("b", 2), ("a", 1)]
    assert count_facets(provider.objects, "k", limit=2) == [("c", 3), ("b", 2)]


def test_values_are_pythons_and_keep_their_types(in_acme):
    provider = add_rows([1, 1, 1, 1, "1", "1", "1", True, True, None])

    assert count_facets(provider.objects, "k") == [(1, 4), ("1", 3), (True, 2), (None, 1)]
    assert [type(value) for value, _ in count_facets(provider.objects, "k")] == [int, str, bool, type(None)]


def test_an_array_counts_for_each_element_once_a_document(in_acme):
    provider = add_rows([["x", "y", "x"], ["x"], "x", [], [["x"]], {"x": 1}])

    facets = count_facets(provider.objects, "k")

    assert facets[:2] == [("x", 3), ("y", 1)]
    assert all(facet in facets for facet in [(["x"], 1), ({"x": 1}, 1)])
    assert len(facets) == 4


def test_documents_that_lack_the_key_are_not_counted(in_acme):
    provider = add_rows([{"name": "Ada"}, {"name": None}, {}, ["name"], "name"], key="author")

    assert sorted(count_facets(provider.objects, "author.name"), key=str) == [("Ada", 1), (None, 1)]
    assert count_facets(provider.objects, "missing") == []


def test_the_queryset_decides_what_is_counted_whatever_its_order(in_acme):
    provider = add_rows(["a", "b", "b", "c"])
    found = provider.nearest([1.0, 2.0]).filter(compile_filter({"k": {"in": ["a", "b"]}}))

    assert count_facets(found, "k") == [("b", 2), ("a", 1)]


def test_facets_cost_one_query(in_acme, django_assert_num_queries):
    provider = add_rows(["a", ["b", "a"], {}])

    with django_assert_num_queries(1):
        count_facets(provider.objects, "k")


def test_rows_of_another_tenant_are_never_counted(acme, globex):
    for tenant, values in ((acme, ["ours"]), (globex, ["theirs", "theirs"])):
        with tenant_context(tenant):
            add_rows(values)

    with tenant_context(acme):
        assert count_facets(PgVectorProvider(space="test-facets").objects, "k") == [("ours", 1)]
    assert count_facets(PgVectorProvider(space="test-facets", tenant=globex).objects, "k") == [("theirs", 2)]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("", "key: has an empty part; "),
        ("a..b", "key: has an empty part; "),
        ("a\0", "key: contains a NUL byte at character 1. "),
        (7, "key: is a number; a key must be a string."),
        ("k" * 1_001, "key: is a key of 1,001 characters; 1,000 are allowed."),
    ],
    ids=ascii,
)
def test_a_bad_key_is_refused(in_acme, key, message):
    with pytest.raises(InvalidFilterError) as caught:
        count_facets(PgVectorProvider(space="test-facets").objects, key)

    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("limit", [0, 1_001, True, "5"])
def test_a_bad_limit_is_refused(in_acme, limit):
    with pytest.raises(ValueError, match=r"^limit must be a whole number of at least 1"):
        count_facets(PgVectorProvider(space="test-facets").objects, "k", limit)


def test_several_keys_are_counted_in_one_statement_each_to_its_own_limit(in_acme, django_assert_num_queries):
    provider = PgVectorProvider(space="test-facets")
    rows = [{"lang": "en", "tags": ["x", "y"]}, {"lang": "en", "tags": "x"}, {"lang": "de"}, {"year": 2020}]
    provider.add(
        EmbeddedDocument(str(number), "text", metadata, [1.0, 2.0]) for number, metadata in enumerate(rows)
    )

    with django_assert_num_queries(1):
        facets = count_all_facets(provider.objects, ["lang", "tags", "year", r"\lang", "none"], limit=1)

    assert facets == {
        "lang": [("en", 2)],
        "tags": [("x", 2)],
        "year": [(2020, 1)],
        r"\lang": [("en", 2)],
        "none": [],
    }
