from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from apps.search.documents import Document, DuplicateDocumentError, EmbeddedDocument, InvalidDocumentError
from apps.search.filters import InvalidFilterError
from apps.search.storage.pgvector import PgVectorProvider
from tenants.context import tenant_context

pytestmark = pytest.mark.usefixtures("embedder")


@pytest.fixture
def provider(in_acme):
    provider = PgVectorProvider()
    provider.add([Document("a", "old", {"lang": "en"}), Document("b", "old", {"lang": "de"})])
    return provider


def contents_of(provider):
    return dict(provider.objects.values_list("document_key", "content"))


def test_update_is_the_policy_when_none_is_named(provider):
    assert provider.add([Document("a", "new")]) == 1
    assert contents_of(provider) == {"a": "new", "b": "old"}


def test_skip_leaves_stored_rows_as_they_are(provider):
    written = provider.add(
        [Document("a", "new"), Document("c", "new"), Document("b", "new")], on_conflict="skip"
    )

    assert written == 1
    assert contents_of(provider) == {"a": "old", "b": "old", "c": "new"}


def test_skip_does_not_embed_what_it_skips(provider, embedder):
    count = len(embedder.embedded)

    provider.add((Document(key, f"new {key}") for key in "abc"), on_conflict="skip")

    assert embedder.embedded[count:] == ["new c"]


def test_skip_takes_the_first_of_equal_keys(provider):
    assert provider.add([Document("c", "first"), Document("c", "second")], on_conflict="skip") == 1
    assert contents_of(provider)["c"] == "first"


def test_error_writes_new_documents(provider):
    assert provider.add([Document("c", "new"), Document("d", "new")], on_conflict="error") == 2
    assert contents_of(provider) == {"a": "old", "b": "old", "c": "new", "d": "new"}


def test_error_names_what_is_stored_or_comes_twice_and_writes_nothing(provider):
    with pytest.raises(DuplicateDocumentError) as caught:
        provider.add([Document(key, "new") for key in ("b", "x", "c", "a", "x")], on_conflict="error")

    assert str(caught.value) == "Stored already, or given twice: 'a', 'b', 'x'."
    assert caught.value.keys == ["a", "b", "x"]
    assert contents_of(provider) == {"a": "old", "b": "old"}


def test_error_names_up_to_ten_keys(provider):
    documents = [Document(f"k{number:02}", "text") for number in range(12)]
    provider.add(documents)

    with pytest.raises(DuplicateDocumentError, match=r"'k08', 'k09' and more.$") as caught:
        provider.add(documents, on_conflict="error")

    assert caught.value.keys == [f"k{number:02}" for number in range(10)]


@pytest.mark.parametrize("policy", ["replace", "", None, "UPDATE"])
def test_unknown_policy_is_refused_before_anything_is_read(provider, policy):
    def documents():
        raise AssertionError("read")
        yield

    with pytest.raises(ValueError, match=f"^on_conflict is {policy!r}; allowed: update, skip, error.$"):
        provider.add(documents(), on_conflict=policy)


@pytest.mark.parametrize("policy", ["update", "skip", "error"])
@pytest.mark.parametrize("key", ["", "a\0b", None, "k" * 513, "\ud800"])
def test_bad_key_is_refused_under_every_policy(provider, policy, key):
    with pytest.raises(InvalidDocumentError, match="document_key"):
        provider.add([Document("c", "new"), Document(key, "new")], on_conflict=policy)

    assert contents_of(provider) == {"a": "old", "b": "old"}


@pytest.mark.parametrize("policy", ["update", "skip", "error"])
def test_documents_of_another_tenant_are_no_duplicates(provider, globex, policy):
    with tenant_context(globex):
        theirs = PgVectorProvider()

        assert theirs.add([Document("a", "theirs")], on_conflict=policy) == 1
        assert contents_of(theirs) == {"a": "theirs"}

    assert contents_of(provider) == {"a": "old", "b": "old"}


def test_delete_by_filter_deletes_what_fits(provider):
    provider.add([Document("c", "new", {"lang": "en", "year": 2020})])

    assert provider.delete(where={"lang": "en", "year": {"gte": 2020}}) == 1
    assert provider.delete(where={"lang": "en"}) == 1
    assert provider.delete(where={"lang": "en"}) == 0
    assert contents_of(provider) == {"b": "old"}


def test_delete_by_filter_keeps_to_its_index_space_and_tenant(provider, globex):
    others = [PgVectorProvider(index_name="notes"), PgVectorProvider(space="other")]
    theirs = PgVectorProvider(tenant=globex)
    for other in (*others, theirs):
        other.add([Document("a", "text", {"lang": "en"})])

    assert provider.delete(where={"lang": {"in": ["en", "de"]}}) == 2

    assert [other.objects.count() for other in (*others, theirs)] == [1, 1, 1]
    assert theirs.delete(where={"lang": "en"}) == 1
    assert [other.objects.count() for other in others] == [1, 1]


@pytest.mark.parametrize("arguments", [{}, {"document_keys": ["a"], "where": {"lang": "en"}}])
def test_delete_wants_either_keys_or_a_filter(provider, arguments):
    with pytest.raises(TypeError, match=r"^Give delete\(\) either document_keys or where; clear\(\) deletes"):
        provider.delete(**arguments)

    assert len(contents_of(provider)) == 2


def test_delete_by_an_empty_filter_is_refused(provider):
    with pytest.raises(ValueError, match=r"^where is empty and would fit everything"):
        provider.delete(where={})

    assert len(contents_of(provider)) == 2


def test_delete_by_a_bad_filter_leads_to_the_fault(provider):
    with pytest.raises(InvalidFilterError, match=r"^lang\.like: needs a string, not a number\.$"):
        provider.delete(where={"lang": {"like": 1}})


def test_writers_who_insist_on_new_documents_do_not_both_write(acme):
    documents = [EmbeddedDocument(f"k{number:03}", "text", {}, [1.0, 2.0]) for number in range(200)]

    def write(documents):
        try:
            with tenant_context(acme):
                return PgVectorProvider(space="policies").add(documents, on_conflict="error")
        except DuplicateDocumentError:
            return 0
        finally:
            connection.close()

    def clear():
        try:
            with tenant_context(acme):
                return PgVectorProvider(space="policies").clear()
        finally:
            connection.close()

    with ThreadPoolExecutor() as pool:
        written = list(pool.map(write, [documents, documents[::-1], documents[50:]]))
        left = pool.submit(clear).result()

    assert sorted(written)[:2] == [0, 0]
    assert max(written) == left
