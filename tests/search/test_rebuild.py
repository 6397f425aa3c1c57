import pytest
from django.db import connection

from apps.search import get_provider
from apps.search.documents import Document
from apps.search.indexes.sources import BATCH
from apps.search.indexing.batches import count_objects, index_objects, rebuild_index
from tests.models_app.models import Note

pytestmark = pytest.mark.usefixtures("embedder", "in_acme")


def contents():
    rows = get_provider("notes").objects.order_by("document_key")
    return [content.split()[0] for content in rows.values_list("content", flat=True)]


def make_notes(count):
    Note.objects.bulk_create(Note(title=f"title{number}", body="body") for number in range(count))


def test_rebuild_indexes_removes_orphans_and_reports_progress():
    make_notes(2 * BATCH + 1)
    gone = Note.objects.create(title="gone", body="b")
    index_objects(Note, [gone.pk])
    get_provider("notes").add([Document("by hand", "text"), Document("a: b", "text")])
    Note.objects.filter(pk=gone.pk)._raw_delete("default")
    counts = []

    changed = rebuild_index("notes", progress=counts.append)

    assert (counts, changed) == ([BATCH, BATCH, 1], 2 * BATCH + 2)
    assert len(contents()) == 2 * BATCH + 1 + 2
    assert count_objects("notes") == 2 * BATCH + 1
    assert rebuild_index("notes") == 0


def test_rebuild_keeps_what_another_worker_indexed_meanwhile():
    make_notes(1)
    saved = []

    def save_another(execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        reads_all_keys = sql.startswith('SELECT "notes_note"."id"') and not {"LIMIT", "WHERE"} & set(
            sql.split()
        )
        if reads_all_keys and not saved:
            saved.append(Note(title="meanwhile", body="b"))
            saved[0].save()
            index_objects(Note, [saved[0].pk])
        return result

    with connection.execute_wrapper(save_another):
        rebuild_index("notes")

    assert saved
    assert sorted(contents()) == ["meanwhile", "title0"]


def test_stopped_rebuild_goes_on_where_it_stopped(embedder):
    make_notes(3 * BATCH)

    def stop(count):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild_index("notes", progress=stop)
    before = set(embedder.embedded)

    rebuild_index("notes")

    assert len(before) == BATCH
    assert len(embedder.embedded) == len(set(embedder.embedded)) == 3 * BATCH
