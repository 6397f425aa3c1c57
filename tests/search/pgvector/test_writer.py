import tracemalloc
from collections.abc import Mapping

import numpy as np
import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django_tenants.utils import schema_context

from apps.search.documents import Document, EmbeddedDocument, InvalidDocumentError
from apps.search.storage.pgvector import PgVectorProvider
from apps.search.storage.pgvector.models import PgVectorEmbedding
from tests.models_app.models import Note
from tests.search.pgvector.filling import make_vectors

pytestmark = pytest.mark.usefixtures("embedder", "in_acme")
VECTOR = [1.0] * 8


def make(key="k", content="text", metadata=None, vector=VECTOR):
    return EmbeddedDocument(key, content, {} if metadata is None else metadata, vector)


def contents():
    return dict(PgVectorEmbedding.objects.values_list("document_key", "content"))


def row_versions():
    with connection.cursor() as cursor:
        cursor.execute("SELECT document_key, ctid::text, xmin::text FROM pgvector_pgvectorembedding")
        return {key: version for key, *version in cursor.fetchall()}


def test_unchanged_rows_are_not_written_again():
    provider = PgVectorProvider()
    provider.add(make(key) for key in "abc")
    before = row_versions()

    changed = provider.add([make("a"), make("b", "new"), make("c", metadata={})])

    after = row_versions()
    assert changed == 1
    assert {key for key in before if before[key] != after[key]} == {"b"}


def test_many_documents_take_as_many_statements_as_few():
    counts = []

    for count in (2, 200):
        with CaptureQueriesContext(connection) as queries:
            PgVectorProvider().add(make(f"{count}:{number}") for number in range(count))
        counts.append(len(queries))

    assert counts[1] <= counts[0]


def test_last_of_equal_keys_wins():
    documents = [make("a", "first"), make("b"), make("a", "second"), make("a", "last")]

    assert PgVectorProvider().add(documents) == 2
    assert contents() == {"a": "last", "b": "text"}


def test_last_of_equal_keys_wins_across_batches():
    documents = (Document(f"k{number % 700}", f"version {number // 700}") for number in range(1400))

    assert PgVectorProvider().add(documents) == 700
    assert set(contents().values()) == {"version 1"}


def test_keys_that_differ_in_case_or_form_are_different():
    keys = ["a", "A", "\u00e9", "e\u0301", " a", "a "]

    assert PgVectorProvider().add(make(key) for key in keys) == 6
    assert set(contents()) == set(keys)


def test_nothing_to_add_is_no_error():
    provider = PgVectorProvider()

    assert (provider.add([]), provider.add(iter(())), provider.delete([])) == (0, 0, 0)


def test_add_twice_in_one_transaction():
    with transaction.atomic():
        assert PgVectorProvider().add([make("a")]) == 1
        assert PgVectorProvider().add([make("b")]) == 1
        assert PgVectorProvider().prune_to(["b"]) == 1

    assert set(contents()) == {"b"}


def test_rollback_of_the_caller_undoes_everything():
    provider = PgVectorProvider()
    provider.add([make("a"), make("b")])

    with transaction.atomic():
        provider.add([make("a", "new"), make("c")])
        provider.delete(["b"])
        transaction.set_rollback(True)

    assert contents() == {"a": "text", "b": "text"}


def test_one_bad_document_among_many_writes_nothing():
    documents = (make(f"k{number}", "text" if number != 5_000 else "\0") for number in range(10_000))

    with pytest.raises(InvalidDocumentError, match=r"^Document 'k5000': content contains a NUL byte"):
        PgVectorProvider().add(documents)

    assert contents() == {}
    assert PgVectorProvider().add([make("after")]) == 1


def test_error_in_the_callers_generator_writes_nothing():
    def documents():
        yield make("a")
        raise KeyError("of the caller")

    with pytest.raises(KeyError, match="of the caller"):
        PgVectorProvider().add(documents())

    assert contents() == {}


def test_documents_may_be_made_from_rows_read_meanwhile():
    Note.objects.bulk_create(Note(title=f"t{number}", body="text") for number in range(600))
    notes = Note.objects.order_by("pk")

    changed = PgVectorProvider().add(
        make(str(note.pk), Note.objects.get(pk=note.pk).title) for note in notes.iterator(50)
    )

    assert changed == 600


class LazyMetadata(Mapping):
    """Runs a query when it is read."""

    def __getitem__(self, key):
        return Note.objects.count()

    def __iter__(self):
        return iter([f"notes{Note.objects.count()}"])

    def __len__(self):
        return 1


def test_documents_may_run_queries_when_they_are_read():
    documents = [make("lazy", metadata=LazyMetadata()), make("nested", metadata={"a": [{"b": None}]})]

    assert PgVectorProvider().add([make("plain"), *documents]) == 3
    assert PgVectorEmbedding.objects.get(document_key="lazy").metadata == {"notes0": 0}


def test_keys_may_be_made_from_rows_read_meanwhile():
    provider = PgVectorProvider()
    provider.add(make(str(number)) for number in range(600))

    keys = provider.objects.values_list("document_key", flat=True)

    assert provider.delete(key for key in keys.iterator(50) if int(key) % 2) == 300
    assert provider.prune_to(key for key in keys.iterator(50) if int(key) % 4) == 150


def test_tenant_bound_by_its_schema_only_is_enough():
    with schema_context("acme"):
        assert PgVectorProvider().add([Document("a", "text")]) == 1


def test_any_number_of_keys_is_taken():
    provider = PgVectorProvider()
    provider.add([make("a"), make("b")])

    assert provider.prune_to(["a", *(f"gone {number}" for number in range(70_000))]) == 1
    assert provider.delete(f"gone {number}" if number else "a" for number in range(70_000)) == 1


@pytest.mark.parametrize("name", ["delete", "prune_to"])
def test_one_text_is_not_taken_for_many_keys(name):
    provider = PgVectorProvider()
    provider.add([make("abc"), make("a")])

    with pytest.raises(TypeError, match="an iterable of str, not one str"):
        getattr(provider, name)("abc")

    assert set(contents()) == {"abc", "a"}


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_documents():
    vector = np.ones(8, dtype=np.float32)
    peaks = []
    for index, count in enumerate((2_000, 20_000)):
        tracemalloc.start()
        added = PgVectorProvider(index_name=f"i{index}").add(
            make(f"k{number}", f"{number} " * 100, vector=vector) for number in range(count)
        )
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert added == count

    assert peaks[1] < 2 * peaks[0]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (make(""), "Document '': document_key has 0 characters; 1 to 512 are allowed."),
        (make("x" * 513), f"Document '{'x' * 40}': document_key has 513 characters; 1 to 512 are allowed."),
        (make(7), "Document 7: document_key must be a str, not int."),
        (make("a\0"), "Document 'a\\x00': document_key contains a NUL byte at character 1. Remove it."),
        (
            make("\udc80"),
            "Document '\\udc80': document_key contains a lone surrogate (U+DC80) at character 0. Remove it.",
        ),
        (make(content=None), "Document 'k': content must be a str, not NoneType."),
        (make(content=b"text"), "Document 'k': content must be a str, not bytes."),
        (make(content="ab\0"), "Document 'k': content contains a NUL byte at character 2. Remove it."),
        (
            make(content="\ud83d text"),
            "Document 'k': content contains a lone surrogate (U+D83D) at character 0. Remove it.",
        ),
        (make(metadata=["a"]), "Document 'k': metadata must be a mapping, not list."),
        (make(metadata="a"), "Document 'k': metadata must be a mapping, not str."),
        (make(metadata={"a": "b\0"}), "Document 'k': metadata contains a NUL byte. Remove it."),
        (make(metadata={"a\0": 1}), "Document 'k': metadata contains a NUL byte. Remove it."),
        (make(metadata={"a": ["\\\0"]}), "Document 'k': metadata contains a NUL byte. Remove it."),
        (make(metadata={"a": "\ud800"}), "Document 'k': metadata contains a lone surrogate (U+D800)"),
        (make(metadata={"\ud800": 1}), "Document 'k': metadata contains a lone surrogate (U+D800)"),
        (make(metadata={"a": float("nan")}), "Document 'k': metadata is not JSON: "),
        (make(metadata={"a": [float("-inf")]}), "Document 'k': metadata is not JSON: "),
        (make(metadata={"a": {1, 2}}), "Document 'k': metadata is not JSON: Object of type set"),
        (make(metadata={(1, 2): 1}), "Document 'k': metadata is not JSON: keys must be"),
        (Document("k", "a\0"), "Document 'k': content contains a NUL byte at character 1"),
        (Document("k", "\udc00"), "Document 'k': content contains a lone surrogate (U+DC00) at character 0"),
        (Document("k", " \n"), "Document 'k': content is empty or blank"),
        (Document("k", None), "Document 'k': content must be a str, not NoneType"),
    ],
)
def test_bad_document_is_refused_by_name(document, message):
    with pytest.raises(InvalidDocumentError) as caught:
        PgVectorProvider().add([make("good"), Document("fine", "text"), document, make("also good")])

    assert str(caught.value).startswith(message)
    assert contents() == {}


@pytest.mark.parametrize("key", ["", "x" * 513, 7, None, "a\0", "\ud800"])
@pytest.mark.parametrize("name", ["delete", "prune_to"])
def test_bad_key_is_refused_and_nothing_deleted(name, key):
    provider = PgVectorProvider()
    provider.add([make("a")])

    with pytest.raises(InvalidDocumentError, match=r"^Document .*: document_key "):
        getattr(provider, name)(["a", key])

    assert set(contents()) == {"a"}


def test_what_looks_like_an_escaped_nul_is_kept():
    metadata = {"path": "\\u0000", "\\u0000": "c:\\\\u0000", "deep": json_depth(40)}

    PgVectorProvider().add([make("x" * 512, metadata=metadata)])

    assert PgVectorEmbedding.objects.get().metadata == metadata


def json_depth(depth):
    return [json_depth(depth - 1)] if depth else []


@pytest.mark.parametrize("table", ["pgvector_pgvectorembedding", "notes_noteembedding"])
def test_embedding_tables_keep_vectors_in_their_rows(in_acme, table):
    with connection.cursor() as cursor:
        cursor.execute("SELECT reloptions FROM pg_class WHERE oid = to_regclass(%s)", [table])
        assert cursor.fetchone() == (["toast_tuple_target=4080"],)


@pytest.mark.parametrize(("dimensions", "words", "moved"), [(384, 150, 0), (768, 40, 0), (1536, 40, 5)])
def test_vectors_of_rows_below_half_a_page_stay_in_their_rows(dimensions, words, moved):
    content = " ".join(f"word{number}" for number in range(words))
    vectors = make_vectors(5, dimensions)

    PgVectorProvider(space="wide").add(
        EmbeddedDocument(f"k{number}", content, {}, vector) for number, vector in enumerate(vectors)
    )

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(pg_column_toast_chunk_id(vector)) FROM pgvector_pgvectorembedding")
        assert cursor.fetchone() == (moved,)
