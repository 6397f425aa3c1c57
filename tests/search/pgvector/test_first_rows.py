"""Many documents for an index that has none are copied into the table itself."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from apps.search.documents import Document, DuplicateDocumentError, EmbeddedDocument
from apps.search.storage.pgvector import PgVectorProvider
from apps.search.storage.pgvector.keywords.pending import find_pending
from apps.search.storage.pgvector.models import PgVectorEmbedding
from apps.search.storage.pgvector.writing import embedding, encoding
from tenants.context import owner_rights, tenant_context
from tests.workers import wait_until

pytestmark = pytest.mark.usefixtures("embedder")
BULK = 10
VECTOR = [1.0] * 8
KEYS = [f"k{number:03}" for number in range(60)]
DOWNWARDS = KEYS[::-1]
SPACE = "committed"


@pytest.fixture(autouse=True)
def _few_are_bulk(settings, monkeypatch):
    settings.PGVECTOR = {"BULK_ROWS": BULK}
    monkeypatch.setattr(embedding, "BATCH", 8)
    monkeypatch.setattr(encoding, "BATCH_BYTES", 8 * encoding.OVERHEAD)


def make(keys, content="text"):
    return [EmbeddedDocument(key, content, {"key": key}, VECTOR) for key in keys]


def list_as_they_lie():
    with connection.cursor() as cursor:
        cursor.execute("SELECT document_key FROM pgvector_pgvectorembedding ORDER BY ctid")
        return [key for (key,) in cursor.fetchall()]


def contents():
    return dict(PgVectorEmbedding.objects.values_list("document_key", "content"))


def test_the_first_documents_are_copied_as_they_come(in_acme):
    provider = PgVectorProvider()

    changed = provider.add(make(DOWNWARDS))

    lies = list_as_they_lie()
    assert (changed, find_pending(provider.objects).count()) == (60, 60)
    assert sorted(lies) == KEYS
    assert lies[20:] == DOWNWARDS[20:]  # those before were enough to tell that there are many
    row = provider.objects.get(document_key="k001")
    assert (row.space, row.index_name, row.content, row.metadata) == (
        "default", "default", "text", {"key": "k001"},
    )  # fmt: skip
    assert list(PgVectorEmbedding.objects.get(pk=row.pk).vector) == VECTOR


@pytest.mark.parametrize(
    "write",
    [
        lambda: PgVectorProvider().add(make(DOWNWARDS), keywords_at_once=True),
        lambda: PgVectorProvider().add(Document(key, "text") for key in DOWNWARDS),
        lambda: [PgVectorProvider().add(make(["k"])), PgVectorProvider().add(make(DOWNWARDS))],
    ],
    ids=["with their words", "to be embedded", "not the first"],
)
def test_other_documents_are_sorted_so_that_nobody_waits(in_acme, write):
    write()

    assert list_as_they_lie()[-60:] == KEYS


@pytest.mark.parametrize(
    ("policy", "content"), [("update", "last"), ("skip", "first")], ids=["update", "skip"]
)
def test_a_key_that_comes_again_later_follows_the_policy(in_acme, policy, content):
    documents = [*make(DOWNWARDS), *make(["k030"], "between"), *make(KEYS[:50], "last")]
    documents[:60] = make(DOWNWARDS, "first")

    changed = PgVectorProvider().add(documents, on_conflict=policy)

    assert changed == 60
    assert contents() == {key: content if key < "k050" else "first" for key in KEYS}


def test_a_key_that_comes_again_later_is_an_error_where_it_must_not(in_acme):
    with pytest.raises(DuplicateDocumentError, match="given twice: 'k007'"):
        PgVectorProvider().add(make([*DOWNWARDS, "k007"]), on_conflict="error")

    assert contents() == {}


def start(pool, tenant, keys):
    def run():
        try:
            with tenant_context(tenant):
                return PgVectorProvider(space=SPACE).add(make(keys, "other"))
        finally:
            connection.close()

    return pool.submit(run)


def is_somebody_waiting():
    with owner_rights(), connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        return cursor.fetchone()[0]


@pytest.mark.parametrize("keys", [KEYS[:5] + KEYS[-5:], KEYS], ids=["few", "many"])
def test_another_writer_waits_and_neither_fails(commit, acme, keys):
    with ThreadPoolExecutor() as pool:
        others = []

        def documents():
            yield from make(DOWNWARDS[:40])
            others.append(start(pool, acme, keys))
            wait_until(is_somebody_waiting)
            yield from make(DOWNWARDS[40:])

        changed = commit(lambda: PgVectorProvider(space=SPACE).add(documents()))
        also_changed = others[0].result(60)

    assert (changed, also_changed) == (60, len(keys))
    written = commit(lambda: list(PgVectorProvider(space=SPACE).objects.filter(content="other")))
    assert sorted(row.document_key for row in written) == sorted(keys)


def test_a_writer_of_another_tenant_does_not_wait(commit, acme, globex):
    with ThreadPoolExecutor() as pool:
        others = []

        def documents():
            yield from make(DOWNWARDS[:40])
            others.append(start(pool, globex, KEYS).result(60))
            yield from make(DOWNWARDS[40:])

        changed = commit(lambda: PgVectorProvider(space=SPACE).add(documents()))

    assert [changed, *others] == [60, 60]
    seen = commit(lambda: PgVectorProvider(space=SPACE).objects.filter(content="other").count())
    assert seen == 0
