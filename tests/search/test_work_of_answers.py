import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.search.indexing.batches import index_objects
from apps.search.searching import results
from apps.search.searching.answering import SearchRequest, answer_documents, answer_objects
from tests.models_app.models import Note

pytestmark = pytest.mark.usefixtures("embedder")


@pytest.fixture
def snippets(in_acme, monkeypatch):
    """The contents that snippets were made of, while 60 notes are searched."""
    notes = [Note.objects.create(title=f"note {number}", body="apple pie") for number in range(60)]
    index_objects(Note, [note.pk for note in notes])
    made, make = [], results.make_snippet
    monkeypatch.setattr(
        results, "make_snippet", lambda content, query: made.append(content) or make(content, query)
    )
    return made


@pytest.mark.parametrize("mode", ["semantic", "keyword", "hybrid"])
def test_no_snippet_is_made_for_an_answer_without_snippets(snippets, mode):
    answer = answer_documents(SearchRequest("apple", "notes", limit=50, mode=mode))

    assert len(answer.results) == 50
    assert snippets == []
    assert "apple" in answer.results[0].snippet


def test_snippets_are_made_for_the_results_of_a_page_only(snippets):
    answer = answer_objects(SearchRequest("apple", "notes", limit=5))

    assert len([result.marked_snippet for result in answer.results]) == len(snippets) == 5


@pytest.mark.parametrize("answer", [answer_documents, answer_objects])
@pytest.mark.parametrize("mode", ["semantic", "keyword", "hybrid"])
def test_a_longer_list_takes_no_more_statements(snippets, answer, mode):
    counts = []
    for limit in (5, 50):
        with CaptureQueriesContext(connection) as queries:
            assert len(answer(SearchRequest("apple", "notes", limit=limit, mode=mode)).results) == limit
        counts.append(len(queries))

    assert counts[1] <= counts[0]
