from functools import partial

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.db.models import Count
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from psycopg.errors import AdminShutdown

from apps.search import get_provider
from apps.search.embedders import EmbeddingUnavailableError, InvalidTextError
from apps.search.indexes.registry import VectorIndex, register, unregister
from apps.search.indexes.sources import CallableSource, ModelSource, Text
from apps.search.indexing import set_asides
from apps.search.indexing.batches import count_objects, rebuild_index
from apps.search.indexing.runs import work_on
from apps.search.indexing.tasks import IndexingError, index_by_keys, start_run
from apps.search.models import IndexRun, ServiceBudget, SetAside
from tenants.context import tenant_context
from tenants.models import Tenant
from tenants.queue.retries import MAX_RETRIES, RETRIED
from tenants.queue.rows import SCHEMA_KEY
from tenants.queue.worker import recover_orphans
from tests.models_app.models import Note
from tests.search.work import run_tasks as run_waiting

pytestmark = pytest.mark.usefixtures("embedder", "in_acme", "as_owner")

ZERO = "integer division or modulo by zero"
QUERYSETS = {
    "distinct": lambda: Note.objects.distinct(),
    "distinct on": lambda: Note.objects.order_by("title", "pk").distinct("title"),
    "slice": lambda: Note.objects.order_by("title")[:2],
    "aggregate": lambda: Note.objects.annotate(count=Count("source")).filter(count__gte=1),
    "union": lambda: Note.objects.filter(title="a").union(Note.objects.filter(title="b")),
}


@pytest.fixture
def make_index():
    def make(queryset):
        register(VectorIndex("odd", [ModelSource(Note, queryset=queryset)]))

    yield make
    unregister("odd")


def titles(index_name, space=None):
    rows = get_provider(index_name, space=space).objects.order_by("content")
    return [content.split()[0] for content in rows.values_list("content", flat=True)]


def make(title, body="body"):
    return Note.objects.create(title=title, body=body)


@pytest.mark.parametrize("kind", QUERYSETS)
def test_an_index_may_be_made_of_any_queryset(make_index, kind, globex):
    make_index(QUERYSETS[kind])
    first = make("a")
    make("b")
    run_waiting()
    assert titles("odd") == titles("notes") == ["a", "b"]

    first.title = "changed"
    first.save()
    run_waiting()
    rebuild_index("odd")

    assert titles("notes") == ["b", "changed"]
    assert titles("odd") == (["b"] if kind == "union" else ["b", "changed"])
    assert count_objects("odd") == len(titles("odd"))
    with tenant_context(globex):
        assert titles("odd") == []


def test_the_fault_of_one_index_leaves_no_other_stale(make_index, in_acme):
    make_index(lambda: Note.objects.filter(pk__in=[1 // 0]))
    note = make("a")

    with pytest.raises(IndexingError, match=r"^index 'odd': ZeroDivisionError"):
        run_waiting()

    with tenant_context(in_acme):
        assert titles("notes") == ["a"]
        aside = SetAside.objects.get()
    assert (aside.model_label, aside.object_pk, aside.is_lasting) == ("notes.note", str(note.pk), True)
    assert "ZeroDivisionError" in aside.reason


def test_rebuilding_goes_on_with_the_other_indexes_after_one_that_fails(make_index, globex):
    make_index(lambda: Note.objects.filter(pk__in=[1 // 0]))
    for tenant in ("acme", "globex"):
        with tenant_context(Tenant.objects.get(schema_name=tenant)):
            make(tenant)

    with pytest.raises(CommandError) as caught:
        call_command("rebuild_index", "--all")

    faults = [f"{name}: index odd: ZeroDivisionError: {ZERO}" for name in ("acme", "globex")]
    assert str(caught.value).splitlines() == faults
    with tenant_context(globex):
        assert titles("notes") == ["globex"]


def refuse_poison(texts):
    if any("poison" in text for text in texts):
        raise EmbeddingUnavailableError("status 500", None, 500)


def test_a_text_that_always_gets_a_5xx_stops_no_run(embedder):
    for number in range(40):
        make(f"title{number:02}", "poison" if number == 7 else "body")
    DBTaskResult.objects.all().delete()
    embedder.before_batch = staticmethod(refuse_poison)
    run = start_run("notes", "default")

    work_on(run)

    run.refresh_from_db()
    assert (run.state, run.objects_done, len(titles("notes"))) == ("done", 40, 39)
    assert SetAside.objects.values_list("reason", "is_lasting").get() == ("status 500", True)


def ask_to_wait(texts):
    if any("poison" in text for text in texts):
        raise EmbeddingUnavailableError("status 503", 60, 503)


def end_pause():
    ServiceBudget.objects.update(held_until=timezone.now())


def test_a_text_that_always_gets_a_5xx_and_a_time_to_wait_stops_no_run(embedder):
    for number in range(4):
        make(f"title{number}", "poison" if number == 2 else "body")
    DBTaskResult.objects.all().delete()
    embedder.before_batch = staticmethod(ask_to_wait)
    run = start_run("notes", "default")

    waits_until = work_on(run)
    run.refresh_from_db()
    state = (run.state, run.objects_done, SetAside.objects.count())
    end_pause()
    work_on(run)

    run.refresh_from_db()
    assert waits_until > timezone.now()
    assert state == ("running", 0, 0)
    assert (run.state, run.objects_done, len(titles("notes"))) == ("done", 4, 3)
    assert SetAside.objects.values_list("reason", "is_lasting").get() == ("status 503", True)


def test_an_object_that_always_gets_a_5xx_and_a_time_to_wait_is_tried_twice(embedder):
    make("title", "poison")
    embedder.before_batch = staticmethod(ask_to_wait)

    run_waiting(count=1)
    end_pause()
    run_waiting(count=1)

    assert not DBTaskResult.objects.exists()
    assert SetAside.objects.values_list("reason", "is_lasting").get() == ("status 503", True)


@pytest.mark.parametrize("error", [("away", None, 503), ("busy", 7, 503), ("away", None, None)])
def test_a_service_that_is_down_sets_nothing_aside_for_good(embedder, error):
    def fail(texts):
        raise EmbeddingUnavailableError(*error)

    make("title")
    embedder.before_batch = staticmethod(fail)

    run_waiting(count=1)

    assert not SetAside.objects.filter(is_lasting=True).exists()
    assert DBTaskResult.objects.get().args_kwargs["args"][2:] == ["default", 2]


def fail_times(monkeypatch, times, error):
    index_batch = set_asides.index_batch

    def fail(*args, **kwargs):
        nonlocal times
        times -= 1
        if times >= 0:
            raise error
        return index_batch(*args, **kwargs)

    monkeypatch.setattr(set_asides, "index_batch", fail)


@pytest.mark.parametrize(
    "error",
    [OperationalError("could not extend file: No space left on device"), AdminShutdown("while copying")],
)
def test_a_passing_fault_of_the_database_is_retried_until_it_has_passed(
    monkeypatch, run_tasks, in_acme, error
):
    make("title")
    fail_times(monkeypatch, 2, error)

    for count in (1, 2, 3):
        DBTaskResult.objects.update(run_after="2000-01-01T00:00Z")
        run_tasks()
        row = DBTaskResult.objects.get()
        assert (row.status, row.worker_ids.count(RETRIED)) == (
            ("READY", count) if count < 3 else ("SUCCESSFUL", 2)
        )
        assert (row.run_after > row.enqueued_at) == (count < 3)

    with tenant_context(in_acme):
        assert titles("notes") == ["title"]


def test_a_fault_of_the_database_that_does_not_pass_leaves_set_asides(
    monkeypatch, run_tasks, in_acme, globex
):
    note = make("title")
    fail_times(monkeypatch, 1, OperationalError("No space left on device"))
    DBTaskResult.objects.update(worker_ids=[RETRIED] * MAX_RETRIES)

    run_tasks()

    assert DBTaskResult.objects.get().status == "FAILED"
    with tenant_context(in_acme):
        aside = SetAside.objects.get()
    assert (aside.object_pk, aside.is_lasting) == (str(note.pk), True)
    assert aside.reason.startswith("Its task was given up. ")
    assert aside.reason.endswith("OperationalError: No space left on device")
    with tenant_context(globex):
        assert not SetAside.objects.exists()


def test_a_task_that_kills_its_workers_leaves_set_asides(in_acme, globex):
    pks = [make(title).pk for title in "ab"]
    DBTaskResult.objects.all().delete()
    index_by_keys.enqueue("notes.note", pks)
    DBTaskResult.objects.update(status="RUNNING", worker_ids=["one", "two", "three"])

    recover_orphans()

    assert DBTaskResult.objects.get().status == "FAILED"
    with tenant_context(in_acme):
        asides = SetAside.objects.values_list("space", "object_pk", "reason", "is_lasting").order_by("pk")
        reason = "Its task was given up. tenants.queue.worker.WorkerDiedError: "
        reason += "3 workers died while they ran this task."
        assert list(asides) == [("default", str(pk), reason, True) for pk in pks]
    with tenant_context(globex):
        assert not SetAside.objects.exists()


@pytest.mark.parametrize("failing", ["notes", "odd"])
def test_an_index_that_succeeds_forgets_no_fault_of_another(make_index, monkeypatch, failing):
    index_batch = set_asides.index_batch

    def refuse(batch, **options):
        if batch.index_name == failing:
            raise InvalidTextError(0, f"is refused by {failing}")
        return index_batch(batch, **options)

    make_index(lambda: Note.objects.all())
    monkeypatch.setattr(set_asides, "index_batch", refuse)
    note = make("title")

    for _ in range(2):
        index_by_keys.func("notes.note", [note.pk])

        assert f"is refused by {failing}" in SetAside.objects.get().reason


def test_set_asides_go_when_the_object_is_indexed_after_all(in_acme):
    note = make("title")
    set_asides.set_aside("notes.note", [str(note.pk)], "default", "given up", is_lasting=True)

    partial(index_by_keys.call, **{SCHEMA_KEY: "acme"})("notes.note", [note.pk])

    with tenant_context(in_acme):
        assert not SetAside.objects.exists()


def test_a_text_with_a_key_that_no_document_can_have_stops_no_run(in_acme):
    texts = [Text("k" * 600 + str(number), "text") for number in range(2)]
    register(VectorIndex("odd", [CallableSource("odd", lambda: [*texts, Text("short", "text")])]))
    try:
        run = start_run("odd", "default")
        for _ in range(2):
            run.state = IndexRun.State.RUNNING
            run.save()
            work_on(run)
            run.refresh_from_db()
            assert (run.state, SetAside.objects.count()) == ("done", 2)
        assert get_provider("odd").objects.get().document_key == "odd:short:0"
    finally:
        unregister("odd")
