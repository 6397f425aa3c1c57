import json
import re
from html import unescape

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.search.documents import Document
from apps.search.filters import compile_filter, find_array_keys, read_filter
from apps.search.indexing.batches import index_objects
from apps.search.providers import get_provider
from apps.search.searching.answering import SearchRequest, answer_objects
from apps.search.searching.narrowing import list_facets, list_parts
from tenants.context import tenant_context
from tests.models_app.models import Note

pytestmark = pytest.mark.usefixtures("embedder")
METADATA = [
    {"lang": "en", "tags": ["a", "b"], "n": 1, "not": "x", "a.b": 1, "deep": {"k": "v"}},
    {"lang": "en", "tags": "a", "n": True, "mixed": [{"k": 1}, [1], None]},
    {"lang": "de", "tags": ["b", "b"], "n": "1", "mixed": {"k": 1}},
    {"lang": "", "tags": [], "n": None, "mixed": "k"},
]
KEYS = ("lang", "tags", "n", "not", "a\\.b", "deep.k", "mixed", "nothing")


@pytest.fixture
def documents(in_acme):
    provider = get_provider("notes")
    provider.add([Document(str(place), "fox", metadata) for place, metadata in enumerate(METADATA)])
    return provider


def facets_of(filter=None, keys=KEYS):
    asked = SearchRequest("fox", "notes", filter=filter, facets=keys)
    return list_facets(asked, answer_objects(asked))


@pytest.mark.parametrize(
    "filter", [None, {"lang": {"ne": "de"}}, {"lang": "en", "and": [{"n": {"exists": True}}]}]
)
def test_each_choice_leaves_as_many_documents_as_it_says(documents, filter):
    for facet in facets_of(filter):
        for choice in [*facet.first, *facet.others]:
            if choice.filter:
                left = documents.objects.filter(compile_filter(read_filter(choice.filter))).count()
                assert left == choice.count, (facet.key, choice)
            else:
                assert choice.is_chosen or choice.text[0] in "[{", (facet.key, choice)


def test_a_value_that_is_wanted_already_is_chosen_and_no_other(documents):
    (facet,) = facets_of({"n": 1}, ["n"])
    (other,) = facets_of({"lang": "en"}, ["n"])

    assert [(choice.text, choice.is_chosen) for choice in facet.first] == [("1", True)]
    assert [(choice.text, choice.is_chosen) for choice in other.first] == [("1", False), ("true", False)]


def test_keys_with_arrays_are_found(documents, globex):
    assert find_array_keys(documents.objects, KEYS) == {"tags", "mixed"}
    assert find_array_keys(documents.objects.filter(metadata__lang="nope"), KEYS) == set()
    with tenant_context(globex):
        assert find_array_keys(get_provider("notes").objects, KEYS) == set()


@pytest.mark.parametrize(
    ("filter", "texts"),
    [
        (None, []),
        ({"lang": "en"}, ["lang: en"]),
        ({"lang": "en", "year": {"gte": 2020, "lt": 2025}}, ["lang: en", "year ≥ 2020 and year < 2025"]),
        ({"a": {"ne": None}, "b": {"gt": 1.5}, "c": {"lte": "x"}}, ["a: not null", "b > 1.5", "c ≤ x"]),
        (
            {"a": {"in": ["x", 2]}, "b": {"nin": [True]}, "c": {"in": []}},
            ["a: x or 2", "b: not true", "c: nothing"],
        ),
        ({"a": {"exists": True}, "b": {"exists": False}}, ["has a", "has no b"]),
        ({"a": {"between": [1, 2]}, "b": {"like": "A%"}}, ["a: 1 to 2", "b is like A%"]),
        (
            {"a": {"contains": ["x", "y"]}, "b": {"contains": {"k": 1}}},
            ["a contains x and y", 'b contains {"k": 1}'],
        ),
        ({"and": [{"a": 1, "b": 2}, {"and": [{"a": 3}]}]}, ["a: 1", "b: 2", "a: 3"]),
        ({"or": [{"a": 1}, {"a": 2, "b": 3}]}, ["a: 1 or (a: 2 and b: 3)"]),
        ({"not": {"or": [{"a": 1}, {"b": 2}]}}, ["not (a: 1 or b: 2)"]),
        ({"or": [{"tags": "x"}, {"tags": {"contains": ["x"]}}]}, ["tags: x"]),
        ({"a\\.b": "", "\\not": "x" * 99}, ["a.b: “”", f"not: {'x' * 60}…"]),
    ],
)
def test_a_filter_is_told_in_words_part_by_part(filter, texts):
    assert [part.text for part in list_parts(filter)] == texts


def test_a_part_can_be_taken_away():
    parts = list_parts({"lang": "en", "and": [{"a": 1}, {"a": 2}]})

    assert [part.rest and json.loads(part.rest) for part in parts] == [
        {"and": [{"a": 1}, {"a": 2}]},
        {"lang": "en", "a": 2},
        {"lang": "en", "a": 1},
    ]
    assert [part.rest for part in list_parts({"lang": "en"})] == [""]


UNITS = st.recursive(
    st.dictionaries(
        st.sampled_from(["lang", "tags", "n", "a\\.b"]),
        st.sampled_from(
            ["en", 1, True, None, {"ne": 1}, {"in": ["a", 1]}, {"exists": False}, {"contains": "a"}]
        ),
        min_size=1,
    ),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"and": parts}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"or": parts}),
        inner.map(lambda part: {"not": part}),
    ),
    max_leaves=5,
)


@given(filter=UNITS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_rests_together_are_the_filter(documents, filter):
    parts = list_parts(filter)
    rests = [read_filter(part.rest) for part in parts if part.rest]

    wanted = set(documents.objects.filter(compile_filter(filter)).values_list("pk", flat=True))
    found = [
        set(documents.objects.filter(compile_filter(rest)).values_list("pk", flat=True)) for rest in rests
    ]
    assert all(wanted <= each for each in found)
    assert len(parts) < 2 or set.intersection(*found) == wanted


@pytest.fixture
def ask(client, acme):
    type(acme).objects.filter(pk=acme.pk).update(search_is_public=True)
    with tenant_context(acme):
        notes = [Note.objects.create(title=title, body="fox", source="zoo") for title in ("Fox", "<b>Cat")]
        index_objects(Note, [note.pk for note in notes])

    def ask(**asked):
        response = client.get("/search/", {"q": "fox"} | asked, headers={"host": acme.hostname})
        return response.content.decode()

    return ask


def links(page, text):
    found = re.findall(r'<a class="chip" href="([^"]*)">\s*(?:<span>)?([^<]*)', page)
    return [unescape(address) for address, words in found if unescape(words).strip() == text]


def test_the_page_shows_facets_whose_links_add_to_the_filter(client, ask, acme):
    page = ask(facets="title,source,nothing", mode="keyword")
    (address,) = links(page, "Fox")
    narrowed = client.get(f"/search/{address}", headers={"host": acme.hostname}).content.decode()

    assert "No document has it." in page
    assert "&lt;b&gt;Cat <span>1</span></a>" in page
    assert page.count('<li id="result-') == 2
    assert narrowed.count('<li id="result-') == 1
    assert "<span>title: Fox</span>" in narrowed
    assert '<strong class="chip" aria-current="true">Fox <span>1</span></strong>' in narrowed
    assert '<input type="hidden" name="facets" value="title,source,nothing">' in narrowed
    (away,) = links(narrowed, "title: Fox")
    assert away == "?q=fox&facets=title%2Csource%2Cnothing&mode=keyword"


def test_the_page_shows_no_json_of_a_filter(ask):
    page = ask(filter='{"title": {"in": ["Fox", "Owl"]}, "source": "zoo"}')

    assert "<code>" not in page
    assert links(page, "title: Fox or Owl") == ["?q=fox&filter=%7B%22source%22%3A+%22zoo%22%7D"]
    assert links(page, "source: zoo") != []


def test_a_page_without_facets_has_none(ask):
    assert 'class="facets' not in ask()
