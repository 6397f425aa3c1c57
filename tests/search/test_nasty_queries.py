"""Whatever is typed, no error of the database reaches a visitor."""

import json

import pytest
from django.db import DataError, InternalError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.search.indexing.batches import index_objects
from apps.search.providers import get_provider
from apps.search.searching.hybrid import search_by_mode
from apps.search.storage.pgvector.keywords import bm25
from tenants.context import tenant_context
from tests.models_app.models import Note

pytestmark = pytest.mark.usefixtures("embedder")
TOO_MANY = 40  # operators; PostgreSQL stacks up 32
NASTY = [
    *("-" * count for count in (1, 2, 32, 33, 2_000)),
    *(
        part * TOO_MANY
        for part in ("- ", '"-', '-"', '-"" ', '-"-" ', "-(", "-!", "-\u200b", "-\xad", "-\u0301")
    ),
    *(
        part * TOO_MANY
        for part in ("--a ", "-a ", '"a" or ', "or -", '-"a b" ', "-“a” ", "a-", "-1 ", "!", "(", "<->")
    ),
    *('-"a〝' + "-" * TOO_MANY + mark for mark in "〝″‟ʺ"),
    *(
        "ﷺ" * 2_000,
        "-ﷺ" * 999,
        "½" * 2_000,
        "a" * 2_000,
        "\\" * 2_000,
        "'" * 2_000,
        "aB" * 999,
        "e\u0301" * 999,
    ),
    *("a:*b:AB & !c", "%s %(x)s {0}", "$1", "\x01\x7f", "\ufffe\U0010ffff", "http://" * 250, "<!--" * 400),
]
WHERE = [
    *(
        "{",
        "[]",
        "1",
        '"x"',
        "null",
        '{"a": NaN}',
        '{"a": 1e999}',
        '{"a": {"like": "\\\\"}}',
        '{"a": "\\u0000"}',
    ),
    *(
        '{"a": "\\ud800"}',
        '{"": 1}',
        '{"a.": 1}',
        '{"a": {"between": [1, "x"]}}',
        '{"not": ' * 30 + "1" + "}" * 30,
    ),
    *(
        '{"a": {"in": [' + "1," * 2_000 + "1]}}",
        '{"a": ' + "9" * 1_000 + "}",
        '{"a": {"lt": "\\udbff\\udfff"}}',
    ),
    *(
        '{"a": {"contains": {}}}',
        '{"a\\u0000": 1}',
        '{"a": {"gt": -1e308}}',
        '{"a": {"like": "%_%_%_%_%_%_%"}}',
    ),
]


@pytest.fixture
def public(acme):
    type(acme).objects.filter(pk=acme.pk).update(search_is_public=True)
    with tenant_context(acme):
        note = Note.objects.create(title="Fox", body="The quick fox jumps over a-b and c/d.e")
        index_objects(Note, [note.pk])
    return acme


@pytest.fixture
def ask(client, public):
    def ask(path, **data):
        with transaction.atomic():
            return client.get(path, data, headers={"host": public.hostname})

    return ask


@pytest.mark.parametrize("mode", ["semantic", "keyword", "hybrid"])
@pytest.mark.parametrize("path", ["/search/", "/api/search"])
def test_nasty_queries_are_answered(ask, path, mode):
    statuses = {query: ask(path, q=query, mode=mode).status_code for query in NASTY}

    assert set(statuses.values()) == {200}, statuses


@pytest.mark.parametrize("path", ["/search/", "/api/search"])
@pytest.mark.parametrize("mode", ["semantic", "keyword", "hybrid"])
def test_nasty_filters_facets_and_pages_are_answered_or_refused(ask, path, mode):
    asked = [{"filter": text} for text in WHERE]
    asked += [
        {"facets": text}
        for text in ("a,", ".", "\\", "a." * 9, "title," * 11, "\ud800".encode(errors="replace"))
    ]
    asked += [{"limit": text} for text in ("0", "-1", "1e3", "٣", "9" * 30, "x")]
    asked += [{"after": text} for text in ("x", "=", "AAAA", "\xe9", "e30", "%00", "A" * 400)]
    asked += [{"index": text} for text in ("nope", "\xe9", "'")]

    answers = [(each, ask(path, q="fox", mode=mode, **each)) for each in asked]

    assert {answer.status_code for _, answer in answers} <= {200, 400, 422}, answers


@given(
    query=st.text(
        st.sampled_from("-\"'!&|()<>:*\\ab1 \t“”«»″〝ʺ\u200b\xad\u0301ﷺor"), min_size=1, max_size=120
    )
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_query_by_words_can_be_read(in_acme, query):
    with transaction.atomic():
        list(search_by_mode(get_provider("notes"), query, "keyword")[:1])


@pytest.mark.parametrize("error", [DataError("invalid"), InternalError("tsquery stack too small")])
@pytest.mark.parametrize("mode", ["keyword", "hybrid"])
def test_what_the_database_still_refuses_is_told(ask, monkeypatch, caplog, mode, error):
    def fail(*args):
        raise error

    monkeypatch.setattr(bm25, "_count", fail)
    page = ask("/search/", q="fox", mode=mode)
    answer = ask("/api/search", q="fox", mode=mode)

    message = "The database cannot carry out this search. Say it in other words, or with another filter."
    assert (page.status_code, answer.status_code) == (400, 422)
    assert message in page.content.decode()
    assert answer.json() == {"errors": {"q": [message]}}
    assert caplog.text.count(str(error)) >= 2


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("fox --jump", True),  # an option of a command, not an exclusion
        ("fox --absent", True),
        ("fox -jump", False),
        ("fox -(jump", False),
        ('fox -"quick fox"', False),
        ('fox -"fox quick"', True),
        ('fox - "quick fox"', True),
        ("fox ---------", True),
    ],
)
def test_one_hyphen_before_a_word_excludes_it(ask, query, found):
    answer = ask("/api/search", q=query, mode="keyword")

    assert bool(json.loads(answer.content)["results"]) is found
