import json

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.search.documents import Document
from apps.search.filters import OPERATORS, InvalidFilterError
from apps.search.providers import get_provider
from apps.search.searching.results import search_documents, search_objects
from tenants.context import tenant_context

pytestmark = pytest.mark.usefixtures("embedder")

ROWS = {
    "a": {"lang": "en", "year": 2019},
    "b": {"lang": "en", "year": 2022},
    "c": {"lang": "de", "year": 2022},
}


def fill(tenant, rows):
    tenant.search_is_public = True
    tenant.save()
    with tenant_context(tenant):
        get_provider("notes").add(Document(key, "red apple", metadata) for key, metadata in rows.items())


@pytest.fixture
def ask(acme):
    fill(acme, ROWS)

    def ask(filter, path="/api/search"):
        text = filter if isinstance(filter, str) else json.dumps(filter)
        return Client().get(path, {"q": "apple", "filter": text}, headers={"host": "acme.localhost"})

    return ask


@pytest.mark.parametrize(
    ("filter", "keys"),
    [
        ("", "abc"),
        ("  ", "abc"),
        ({}, "abc"),
        ({"lang": "en"}, "ab"),
        ({"lang": "en", "year": {"gte": 2020}}, "b"),
        ({"or": [{"lang": "de"}, {"year": {"lt": 2020}}]}, "ac"),
        ({"lang": "fr"}, ""),
    ],
    ids=str,
)
def test_a_filter_restricts_the_results(ask, filter, keys):
    response = ask(filter)

    assert response.status_code == 200
    assert sorted(result["document_key"] for result in response.json()["results"]) == list(keys)


@pytest.mark.parametrize(
    ("filter", "message"),
    [
        (
            {"and": [{"lang": "en"}, {"year": {"gte": True}}]},
            "and[1].year.gte: needs a number or a string, not a boolean.",
        ),
        ('{"or": []}', "or: needs a list with at least one filter."),
        ('{"a": NaN}', "a: needs a finite number from -1.798e+308 to 1.798e+308."),
        ("lang=en", "is not JSON: Expecting value: line 1 column 1 (char 0)."),
        ("[1]", "needs an object of keys and conditions, not a list."),
        ('{"a": 1, "a": 2}', "a: occurs twice in one object; use and."),
        ('{"\\ud800": 1}', "\\ud800: contains a lone surrogate (U+D800) at character 0. Remove it."),
        ('{"a": "\\u0000"}', "a: contains a NUL byte at character 0. Remove it."),
        ("{" * 10_001, "A filter may have 10000 characters; this one has 10001."),
        ("[" * 10_000, "is nested too deeply; 8 levels are allowed."),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_bad_filter_is_answered_with_the_path_of_the_fault(ask, embedder, filter, message):
    embedder.embedded = []

    response = ask(filter)

    assert response.status_code == 422
    assert response.json() == {"errors": {"filter": [message]}}
    assert embedder.embedded == []


def test_a_bad_filter_on_the_page_is_shown_with_its_path(ask):
    response = ask('{"<b>\\ud800": {"gt": null}}', "/search/")

    assert response.status_code == 400
    assert "filter: &lt;b&gt;\\ud800: contains a lone surrogate" in response.text


def test_a_filter_reaches_no_other_tenant(ask, globex):
    fill(globex, {"theirs": {"lang": "en", "owner": "Globex"}})

    mine = [result["document_key"] for result in ask({"lang": "en"}).json()["results"]]

    assert sorted(mine) == ["a", "b"]
    assert ask({"owner": "Globex"}).json()["results"] == []


def test_the_documentation_names_the_operators(ask):
    documentation = Client().get("/api/openapi.json", headers={"host": "acme.localhost"}).json()

    parameters = documentation["paths"]["/api/search"]["get"]["parameters"]
    described = next(json.dumps(each) for each in parameters if each["name"] == "filter")
    assert all(f"`{name}`" in described for name in OPERATORS)


@pytest.mark.parametrize("search", [search_documents, search_objects])
def test_searches_in_python_take_a_filter(ask, acme, search):
    with tenant_context(acme):
        results = search("apple", "notes", 9, {"lang": "en"})

    found = [each for result in results for each in (result, *result.same)]  # both have the same text
    assert {result.document.document_key for result in found} == {"a", "b"}


def test_a_bad_filter_in_python_is_refused_before_anything_is_embedded(ask, acme, embedder):
    embedder.embedded = []

    with tenant_context(acme), pytest.raises(InvalidFilterError, match=r"^lang\.gte: needs a number"):
        search_documents("apple", "notes", 9, {"lang": {"gte": None}})

    assert embedder.embedded == []


def ask_facets(keys, filter=None):
    parameters = {"q": "apple", "facets": ",".join(keys), "filter": json.dumps(filter or {})}
    return Client().get("/api/search", parameters, headers={"host": "acme.localhost"})


def test_one_key_many_times_is_one_facet(ask):
    response = ask_facets(["lang"] * 50)

    assert response.json()["facets"] == {"lang": [{"value": "en", "count": 2}, {"value": "de", "count": 1}]}


def test_all_facets_are_one_statement(ask):
    few, many = [], []
    ask_facets(["lang"])  # the first search reads what later ones know
    for keys, queries in ((["lang"], few), (["lang", "year", "a", "b"], many)):
        with CaptureQueriesContext(connection) as captured:
            assert ask_facets(keys).status_code == 200
        queries += captured.captured_queries

    assert len(many) == len(few)


def test_a_long_filter_may_have_few_facets(ask):
    filter = {"year": {"in": list(range(1, 1_001))}}

    assert ask_facets(["lang"], filter).status_code == 200
    response = ask_facets([f"key{number}" for number in range(9)], filter)

    assert response.status_code == 422
    assert response.json()["errors"] == {
        "facets": ["With 9 keys the filter may hold 500 values; it holds 1,000."]
    }
