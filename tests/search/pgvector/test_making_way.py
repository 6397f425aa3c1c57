import pytest
from django.db import connection, transaction
from django_tasks_db.models import DBTaskResult

from apps.search.documents import EmbeddedDocument
from apps.search.indexing.tasks import maintain_vector_indexes
from apps.search.storage.pgvector import PgVectorProvider
from apps.search.storage.pgvector.ann import making_way
from apps.search.storage.pgvector.ann.report import carry_out, report_ann_indexes
from apps.search.storage.pgvector.tables.ann_index import forget_ann_indexes
from apps.search.storage.pgvector.writing.writer import Writer
from tenants.context import owner_rights
from tenants.locks import Lock, take
from tenants.queue.backend import SCHEMA_KEY
from tests.search.pgvector.filling import fill, make_vectors

MANY = 60
SPACE = "committed"


@pytest.fixture(autouse=True)
def _both_have_an_ann_index(settings, commit, acme, globex):
    settings.PGVECTOR = {"INDEX_ROWS": MANY, "BULK_ROWS": 10, "EXACT_ROWS": 5}
    for tenant in (acme, globex):
        commit(begin, tenant=tenant)


def begin():
    fill(MANY, space=SPACE)
    assert [fault for _, fault in carry_out(report_ann_indexes())] == [""]
    delete_tasks()


def delete_tasks():
    with owner_rights():
        DBTaskResult.objects.all().delete()


def get_tasks():
    with owner_rights():
        paths = DBTaskResult.objects.values_list("task_path", flat=True)
        return sorted({path.rsplit(".", 1)[-1] for path in paths})


def get_state():
    [status] = report_ann_indexes()
    return status.rows, status.mode


def make_new(count=MANY):
    vectors = make_vectors(MANY, 8, seed=2)[:count]
    return [EmbeddedDocument(f"new{n}", "text", {"n": n}, vector) for n, vector in enumerate(vectors)]


def add(documents, **options):
    return PgVectorProvider(space=SPACE).add(documents, **options)


def find(document):
    found = PgVectorProvider(space=SPACE).nearest(document.vector)[:10]
    return found[0].document_key, len(found), found.plan.mode


def maintain():
    forget_ann_indexes()
    with owner_rights():
        return maintain_vector_indexes.call(**{SCHEMA_KEY: "acme"})


@pytest.mark.parametrize("options", [{}, {"on_conflict": "skip"}, {"keywords_at_once": True}])
def test_bulk_write_drops_the_ann_index_and_a_worker_builds_it_again(commit, globex, options):
    new = make_new()

    written = commit(lambda: add(new, **options))

    assert written == MANY
    assert commit(find, new[7]) == ("new7", 10, "exact")
    assert commit(get_state) == (2 * MANY, "exact")
    assert "maintain_vector_indexes" in commit(get_tasks)
    assert commit(maintain) == 2  # the ANN index, and the postings
    assert commit(find, new[7]) == ("new7", 10, "hnsw")
    assert commit(get_state, tenant=globex) == (MANY, "hnsw")


def test_few_new_rows_go_into_the_ann_index(commit):
    assert commit(add, make_new(10)) == 10
    assert commit(add, make_new(14)) == 4
    assert commit(get_state) == (MANY + 14, "hnsw")
    assert "maintain_vector_indexes" not in commit(get_tasks)


def test_rows_that_do_not_change_drop_nothing(commit):
    assert commit(lambda: fill(MANY, space=SPACE)) is not None
    assert commit(get_state) == (MANY, "hnsw")


def test_in_a_callers_transaction_the_ann_index_stays(commit):
    def add_in_a_transaction():
        with transaction.atomic():
            return add(make_new())

    assert commit(add_in_a_transaction) == MANY
    assert commit(get_state) == (2 * MANY, "hnsw")


def test_documents_that_are_read_from_the_table_itself_are_written_without_waiting(commit):
    def read():
        PgVectorProvider(space=SPACE).objects.count()
        yield from make_new()

    assert commit(add, read()) == MANY
    assert commit(get_state) == (2 * MANY, "hnsw")


def test_writer_that_is_killed_half_way_leaves_right_searches_and_the_task(commit, monkeypatch):
    new = make_new()

    def die(*arguments):
        raise SystemExit

    monkeypatch.setattr(Writer, "_insert", die)
    with pytest.raises(SystemExit):
        commit(add, new)

    old = EmbeddedDocument("k7", "text", {}, make_vectors(MANY, 8)[7])
    assert commit(get_state) == (MANY, "exact")
    assert commit(find, old) == ("k7", 10, "exact")
    assert commit(get_tasks) == ["maintain_vector_indexes"]
    assert commit(maintain) == 2  # the ANN index, and the postings
    assert commit(get_state) == (MANY, "hnsw")


def test_long_transaction_of_another_session_keeps_no_bulk_waiting(commit, monkeypatch, caplog):
    monkeypatch.setattr(making_way, "PATIENCE", "50ms")
    other = connection.copy()
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute("LOCK TABLE acme.pgvector_pgvectorembedding IN ACCESS SHARE MODE")

        assert commit(add, make_new()) == MANY
    finally:
        other.close()
    assert "stays while many rows are inserted: canceling statement due to lock timeout" in caplog.text
    assert commit(find, make_new()[7])[:2] == ("new7", 10)
    assert commit(maintain) == 2  # the ANN index, and the postings
    assert commit(get_state) == (2 * MANY, "hnsw")


def test_ann_index_that_is_being_built_stays(commit):
    name = commit(lambda: report_ann_indexes()[0].name)
    other = connection.copy()
    try:
        take(Lock.ANN_INDEX, f"acme.{name}", session=other)

        assert commit(add, make_new()) == MANY
    finally:
        other.close()
    assert commit(get_state) == (2 * MANY, "hnsw")


def test_where_nobody_listens_the_ann_index_stays(commit, monkeypatch):
    monkeypatch.setattr(making_way.ann_index_outdated, "has_listeners", lambda sender: False)

    assert commit(add, make_new()) == MANY
    assert commit(get_state) == (2 * MANY, "hnsw")
