import re
from io import StringIO

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django_tasks_db.models import DBTaskResult

from apps.search.indexing.tasks import enqueue_maintenance, index_by_keys, maintain_vector_indexes
from apps.search.storage.pgvector.ann.report import (
    AnnIndexError,
    carry_out,
    needs_report,
    report_ann_indexes,
)
from apps.search.storage.pgvector.tables.ann_index import forget_ann_indexes, get_ann_index_name
from tenants.context import tenant_context
from tenants.queue.backend import SCHEMA_KEY
from tests.models_app.models import Note
from tests.search.pgvector.filling import fill, make_vectors, spoil

# They look into the queue and the catalog, and spoil indexes, as no tenant may.
pytestmark = pytest.mark.usefixtures("as_owner")

MANY = 200


@pytest.fixture(autouse=True)
def _few_are_many(settings):
    settings.PGVECTOR = {"INDEX_ROWS": MANY}
    forget_ann_indexes()
    cache.clear()
    yield
    forget_ann_indexes()
    cache.clear()


def get_waiting():
    return [task.task_path.rsplit(".", 1)[-1] for task in DBTaskResult.objects.all()]


def run(*arguments):
    out = StringIO()
    call_command("vector_indexes", *arguments, stdout=out)
    return out.getvalue()


def test_the_task_keeps_the_indexes_and_may_run_twice(acme, globex):
    with tenant_context(acme):
        provider = fill(MANY)

    changed = [maintain_vector_indexes.call(**{SCHEMA_KEY: "acme"}) for _ in range(2)]
    with tenant_context(acme):
        nearest = provider.nearest(make_vectors(1, 8)[0])[:10]
        found = len(nearest)
        provider.prune_to(["k1", "k2"])
    changed += [maintain_vector_indexes.call(**{SCHEMA_KEY: schema}) for schema in ("acme", "globex")]

    assert [count > 0 for count in changed] == [True, False, True, False]  # postings count, too
    assert (found, nearest.plan.mode) == (10, "hnsw")


def test_the_task_fails_with_every_fault_after_dealing_with_the_rest(in_acme):
    for index_name in ("letters", "poems"):
        spoil(fill(MANY, index_name=index_name))
    fill(MANY, index_name="plans")

    with pytest.raises(AnnIndexError) as failure:
        maintain_vector_indexes.call(**{SCHEMA_KEY: "acme"})

    assert str(failure.value).splitlines() == [
        f"acme: filled/{index_name}: build failed: expected 8 dimensions, not 9"
        for index_name in ("letters", "poems")
    ]
    with tenant_context(in_acme):
        assert [each.mode for each in report_ann_indexes(index_name="plans")] == ["hnsw"]


def test_writes_ask_for_the_task_once_a_minute_and_only_when_it_may_pay(acme, globex):
    with tenant_context(acme):
        fill(MANY // 2 - 1)
        enqueue_maintenance()
        too_few = get_waiting()
        fill(MANY // 2)
        for _ in range(3):
            enqueue_maintenance()
    with tenant_context(globex):
        enqueue_maintenance()

    (task,) = DBTaskResult.objects.all()
    assert too_few == []
    assert task.args_kwargs["kwargs"] == {SCHEMA_KEY: "acme"}
    assert 55 < (task.run_after - task.enqueued_at).total_seconds() <= 61


def test_an_index_without_rows_is_reason_enough(in_acme):
    provider = fill(MANY)
    list(carry_out(report_ann_indexes()))
    provider.clear()

    needed = [needs_report()]
    list(carry_out(report_ann_indexes()))
    needed.append(needs_report())

    assert needed == [True, False]


def test_indexing_asks_for_the_task(acme, embedder):
    with tenant_context(acme):
        note = Note.objects.create(title="Plan", body="words")
        fill(MANY)
        DBTaskResult.objects.all().delete()

    index_by_keys.call("notes.note", [note.pk], **{SCHEMA_KEY: "acme"})

    assert get_waiting() == ["maintain_vector_indexes"]


def test_rebuilding_by_hand_asks_for_the_task(acme, embedder):
    with tenant_context(acme):
        fill(MANY)

    call_command("rebuild_index", "--schema=acme", stdout=StringIO(), stderr=StringIO())

    assert get_waiting() == ["maintain_vector_indexes"]


def test_the_command_prints_a_table(acme, globex):
    for tenant in (acme, globex):
        with tenant_context(tenant):
            fill(MANY, dimensions=16)
    with tenant_context(acme):
        list(carry_out(report_ann_indexes()))

    words = [line.split()[:5] for line in run("--all").splitlines()]

    assert words[0] == ["schema", "space", "index", "rows", "mode"]
    assert words[1:] == [
        ["acme", "filled", "default", "200", "hnsw"],
        ["globex", "filled", "default", "200", "exact"],
    ]
    assert re.search(r" (0\.9\d\d|1\.000) none    in use$", run("--schema=acme"), re.MULTILINE)
    assert " - none    in use" in run("--schema=acme", "--no-recall")
    assert "globex" not in run("--schema=acme")


def test_the_command_applies_what_it_proposes_and_says_so(acme):
    with tenant_context(acme):
        fill(MANY)
        fill(MANY, index_name="poems")
    name = get_ann_index_name("filled", "poems", 8)

    shown = run("--schema=acme", "--index=poems")
    applied = run("--schema=acme", "--index=poems", "--apply")

    assert "build of" not in shown
    assert applied.splitlines()[-2:] == [
        f"acme: filled/poems: build of {name}, 400 rows ...",
        "acme: filled/poems: build done",
    ]
    with tenant_context(acme):
        assert [each.mode for each in report_ann_indexes()] == ["exact", "hnsw"]


def test_the_command_fails_when_an_action_did(acme):
    with tenant_context(acme):
        spoil(fill(MANY))
    out = StringIO()

    with pytest.raises(CommandError) as failure:
        call_command("vector_indexes", "--all", "--apply", stdout=out)

    assert str(failure.value) == "acme: filled/default: build failed: expected 8 dimensions, not 9"
    assert failure.value.returncode == 1
    assert out.getvalue().endswith("acme: filled/default: build failed\n")


def test_the_command_names_the_indexes_when_the_one_asked_for_is_unknown(acme):
    with tenant_context(acme):
        fill(2)
        fill(2, index_name="poems")

    fault = r"^--index: There is no index 'nope' with vectors here\. Known indexes: default, poems\.$"
    with pytest.raises(CommandError, match=fault):
        run("--schema=acme", "--index=nope")


def test_the_command_knows_active_tenants_only(acme):
    with pytest.raises(CommandError, match="--schema: no active tenant has the schema 'nobody'"):
        run("--schema=nobody")
    with pytest.raises(CommandError, match="one of the arguments --schema --all is required"):
        run()
