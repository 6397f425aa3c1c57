import pytest
from django.db import transaction
from django_tasks_db.models import DBTaskResult

from apps.search import get_provider
from apps.search.embedders import EmbeddingError
from apps.search.indexes.sources import BATCH
from apps.search.indexing.batches import index_objects
from apps.search.indexing.tasks import MAX_ATTEMPTS, enqueue_indexing, index_by_keys, start_run
from apps.search.searching.results import search_objects
from tenants.context import tenant_context
from tenants.queue.backend import SCHEMA_KEY
from tests.models_app.models import Note

LONG = "\n\n".join(f"paragraph {number} " + "word " * 150 for number in range(4))

pytestmark = pytest.mark.usefixtures("embedder", "in_acme", "as_owner")


def run_tasks():
    for row in DBTaskResult.objects.order_by("enqueued_at"):
        row.task.call(*row.args_kwargs["args"], **row.args_kwargs["kwargs"])
        row.delete()


def contents():
    rows = get_provider("notes").objects.order_by("document_key")
    return [content.split()[0] for content in rows.values_list("content", flat=True)]


def test_save_writes_one_task_with_keys_only():
    note = Note.objects.create(title="secret title", body="secret body")

    task = DBTaskResult.objects.get()
    assert task.task_path == "apps.search.indexing.tasks.index_by_keys"
    assert task.args_kwargs["args"] == ["notes.note", [note.pk]]
    assert "acme" in task.args_kwargs["kwargs"].values()
    assert "secret" not in str(task.args_kwargs)


def test_a_space_that_is_given_up_while_texts_are_embedded_gets_no_document(in_acme, embedder, monkeypatch):
    written = {"other": "a switch fills it"}
    monkeypatch.setattr("apps.search.spaces.live_spaces._finders", [lambda: written])
    Note.objects.create(title="t", body="b")
    embedder.before_batch = staticmethod(lambda texts: written.clear())

    run_tasks()

    with tenant_context(in_acme):
        assert not get_provider("notes", space="other").objects.exists()
        assert get_provider("notes").objects.count() == 1


def test_tasks_return_counts_and_no_content():
    Note.objects.create(title="secret title", body="secret body")
    start_run("notes", "default")

    waiting = list(DBTaskResult.objects.order_by("enqueued_at"))
    returned = {
        row.task_path.rpartition(".")[2]: row.task.call(*row.args_kwargs["args"], **row.args_kwargs["kwargs"])
        for row in waiting
    }

    assert returned == {"index_by_keys": 1, "continue_run": 1}


def test_rolled_back_save_leaves_no_task():
    with transaction.atomic():
        Note.objects.create(title="t", body="b")
        transaction.set_rollback(True)

    assert not DBTaskResult.objects.exists()


def test_tasks_of_many_objects_are_batched():
    enqueue_indexing(Note, range(BATCH + 1))

    pks = [row.args_kwargs["args"][1] for row in DBTaskResult.objects.order_by("enqueued_at")]
    assert pks == [list(range(BATCH)), [BATCH]]


def test_a_model_of_newer_code_is_left_to_a_worker_that_has_it():
    index_by_keys.call("newer.note", [1], **{SCHEMA_KEY: "acme"})

    task = DBTaskResult.objects.get()
    assert task.args_kwargs["args"] == ["newer.note", [1], "", 2]
    assert task.args_kwargs["kwargs"] == {SCHEMA_KEY: "acme"}
    assert task.run_after > task.enqueued_at


def test_a_model_that_nobody_knows_fails_in_the_end():
    with pytest.raises(LookupError, match="No installed app with label 'newer'"):
        index_by_keys.call("newer.note", [1], "", MAX_ATTEMPTS, **{SCHEMA_KEY: "acme"})

    assert not DBTaskResult.objects.exists()


def test_saved_note_is_found_in_its_tenant_only(acme, globex):
    Note.objects.create(title="Red apples", body="grow on trees", source="book")

    run_tasks()

    with tenant_context(acme):
        result = search_objects("red apples", "notes", 5)[0]
        assert (result.title, result.document.metadata["source"]) == ("Red apples", "book")
        assert result.document.content == "Red apples\n\ngrow on trees"
    with tenant_context(globex):
        assert search_objects("red apples", "notes", 5) == []
        assert not get_provider("notes").objects.exists()


def test_task_runs_in_its_tenant_whichever_was_bound(acme, globex):
    Note.objects.create(title="ours", body="b")
    with tenant_context(globex):
        Note.objects.create(title="theirs", body="b")

    run_tasks()

    for tenant, title in ((acme, "ours"), (globex, "theirs")):
        with tenant_context(tenant):
            assert contents() == [title]


def test_fewer_chunks_leave_no_stale_rows(acme):
    note = Note.objects.create(title="t", body=LONG)
    index_objects(Note, [note.pk])
    assert len(contents()) > 3

    note.body = "short"
    note.save()
    run_tasks()

    with tenant_context(acme):
        assert get_provider("notes").objects.get().content == "t\n\nshort"


@pytest.mark.parametrize("delete", [lambda note: note.delete(), lambda _: Note.objects.all().delete()])
def test_deleted_object_leaves_no_documents(acme, delete):
    note = Note.objects.create(title="t", body=LONG)
    other = Note.objects.create(title="kept", body="b")
    index_objects(Note, [note.pk, other.pk])

    delete(note)
    run_tasks()

    with tenant_context(acme):
        assert contents() == (["kept"] if Note.objects.exists() else [])


def test_keys_that_begin_alike_are_different_objects():
    notes = [Note.objects.create(pk=pk, title=f"title{pk}", body="b") for pk in (1, 11, 111)]
    index_objects(Note, [1, 11, 111])

    notes[0].delete()
    index_objects(Note, [1])

    assert sorted(contents()) == ["title11", "title111"]


def test_blank_object_has_no_documents():
    note = Note.objects.create(title="t", body="b")
    index_objects(Note, [note.pk])

    Note.objects.update(title=" ", body="\n")

    assert index_objects(Note, [note.pk]) == 1
    assert contents() == []


def test_unchanged_text_is_not_embedded_again(embedder):
    note = Note.objects.create(title="t", body=LONG)
    index_objects(Note, [note.pk])
    first = list(embedder.embedded)

    Note.objects.update(body=LONG + "\n\nanother paragraph " + "word " * 150)
    changed = index_objects(Note, [note.pk])

    assert embedder.embedded[: len(first)] == first
    assert 1 <= len(embedder.embedded) - len(first) <= 2
    assert changed == len(embedder.embedded) - len(first)
    assert index_objects(Note, [note.pk]) == 0


@pytest.mark.parametrize("space", ["default", "custom"])
def test_changed_metadata_keeps_the_vector(embedder, space, in_acme):
    in_acme.space = space
    note = Note.objects.create(title="t", body="b", source="old")
    index_objects(Note, [note.pk])
    vector = get_provider("notes").objects.get().vector

    Note.objects.update(source="new")
    changed = index_objects(Note, [note.pk])

    row = get_provider("notes").objects.get()
    assert (changed, row.metadata["source"], row.vector) == (1, "new", vector)
    assert embedder.embedded == ["t\n\nb"]


def test_object_changed_while_it_is_embedded_ends_as_it_is_now(embedder):
    note = Note.objects.create(title="old", body=LONG)

    def overtake(texts):
        embedder.before_batch = staticmethod(lambda texts: None)
        Note.objects.update(title="new", body="short")
        index_objects(Note, [note.pk])

    embedder.before_batch = staticmethod(overtake)
    index_objects(Note, [note.pk])

    assert contents() == ["new"]


def test_object_deleted_while_it_is_embedded_leaves_no_documents(embedder):
    note = Note.objects.create(title="t", body="b")
    pk = note.pk

    def overtake(texts):
        note.delete()
        index_objects(Note, [pk])

    embedder.before_batch = staticmethod(overtake)
    index_objects(Note, [pk])

    assert contents() == []


def test_failing_embedder_leaves_what_was_there(embedder):
    note = Note.objects.create(title="old", body=LONG)
    index_objects(Note, [note.pk])
    before = contents()

    def fail(texts):
        raise EmbeddingError("away")

    embedder.before_batch = staticmethod(fail)
    Note.objects.update(body="new")

    with pytest.raises(EmbeddingError, match="away"):
        index_objects(Note, [note.pk])
    assert contents() == before
