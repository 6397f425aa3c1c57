import pytest

from apps.search import get_provider
from apps.search.documents import Document
from apps.search.indexes.source_objects import Source, get_source_objects, make_documents
from apps.search.indexing.batches import index_objects, rebuild_index
from apps.search.searching.results import find_similar, search_documents, search_objects
from tenants.context import tenant_context
from tests.models_app.models import Note

BY_HAND = [
    "manual",
    "guide.md:intro:1",
    "https://example.com:80/a",
    "notes.note:x:0",
    "a.b:1:2",
    "::",
    "a.b:1:",
]


@pytest.mark.parametrize(
    ("model", "pk"),
    [
        ("notes.note", "7"),
        ("tests_tables.slip", "a:b/c"),
        ("tests_tables.slip", "100%"),
        ("tests_tables.slip", "ü \\"),
        ("tests_tables.slip", "_%"),
    ],
)
def test_key_names_its_source_whatever_the_primary_key(tables_app, model, pk):
    source = Source(model, pk)

    assert Source.from_key(f"{source.prefix}12") == source
    assert source.prefix.count(":") == 2


@pytest.mark.parametrize(
    "key", [*BY_HAND, "", ":", "notes.note:7", "notes.note:7:0:1", "a:b:c", "auth.group:1:0"]
)
def test_key_made_by_hand_names_no_source(key):
    assert Source.from_key(key) is None


def test_documents_of_an_object_are_numbered_chunks_with_its_metadata():
    body = "\n\n".join(f"paragraph{number} " + "word " * 150 for number in range(3))
    note = Note(pk=7, title="title", body=body, source="s")

    documents = make_documents(note)

    assert [document.document_key for document in documents] == [
        f"notes.note:7:{number}" for number in range(len(documents))
    ]
    assert len(documents) >= 3
    assert documents[0].content.startswith("title\n\nparagraph0")
    assert all(document.metadata == {"title": "title", "source": "s"} for document in documents)


def test_blank_object_has_no_documents():
    assert make_documents(Note(pk=7, title=" ", body="\n")) == []


def test_objects_are_found_with_one_query_a_model(in_acme, django_assert_num_queries):
    notes = [Note.objects.create(title=f"t{number}", body="b") for number in range(3)]
    sources = [*map(Source.of, notes), Source("notes.note", "0"), None, Source.of(notes[0])]

    with django_assert_num_queries(1):
        found = get_source_objects(sources)

    assert found == {Source.of(note): note for note in notes}


def test_objects_of_another_tenant_are_not_found(acme, globex):
    with tenant_context(acme):
        source = Source.of(Note.objects.create(title="t", body="b"))

    with tenant_context(globex):
        Note.objects.filter(pk=source.pk).delete()

        assert get_source_objects([source]) == {}


@pytest.mark.usefixtures("embedder", "in_acme")
def test_documents_made_by_hand_are_results_without_a_source():
    get_provider("notes").add(Document(key, "same text") for key in BY_HAND)

    found = search_documents("same text", "notes", 20)

    by_hand = {result.title: result for result in found}
    assert set(by_hand) == set(BY_HAND)
    assert by_hand["a.b:1:2"].source is None
    assert by_hand["a.b:1:2"].url == ""


@pytest.mark.usefixtures("embedder", "in_acme")
def test_rebuild_keeps_documents_made_by_hand():
    get_provider("notes").add(Document(key, "text") for key in BY_HAND)

    rebuild_index("notes")

    assert set(get_provider("notes").objects.values_list("document_key", flat=True)) == set(BY_HAND)


@pytest.mark.usefixtures("embedder", "in_acme")
def test_each_object_is_one_result_with_its_best_chunk():
    long = "\n\n".join("apple " * 170 for _ in range(5))
    for title, body in (("many", long), ("one", "apple pie"), ("none", "cucumber")):
        index_objects(Note, [Note.objects.create(title=title, body=body).pk])

    results = search_objects("apple", "notes", 2)

    assert [result.title for result in results] == ["many", "one"]
    assert results[0].score > results[1].score


@pytest.mark.usefixtures("embedder", "in_acme")
def test_similar_objects_are_others_and_nothing_is_embedded_for_them(embedder):
    notes = [Note.objects.create(title=t, body="b") for t in ("red apple", "red apples apple", "blue")]
    assert find_similar(notes[0], 5) == []
    index_objects(Note, [note.pk for note in notes])
    count = len(embedder.embedded)

    similar = find_similar(notes[0], 5)

    assert {result.source for result in similar} == set(notes[1:])
    assert similar[0].score >= similar[1].score
    assert len(embedder.embedded) == count


@pytest.mark.usefixtures("embedder")
def test_similar_objects_are_the_bound_tenants_only(acme, globex):
    for tenant in (acme, globex):
        with tenant_context(tenant):
            note = Note.objects.create(title=f"of {tenant}", body="b")
            index_objects(Note, [note.pk])

    with tenant_context(globex):
        assert find_similar(note, 5) == []
        assert [result.title for result in search_objects("of", "notes", 5)] == ["of Globex"]
