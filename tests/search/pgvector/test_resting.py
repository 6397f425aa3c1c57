from datetime import timedelta
from io import StringIO
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from apps.search.indexing.tasks import rest_vector_indexes, wake_vector_index
from apps.search.storage.pgvector import PgVectorProvider
from apps.search.storage.pgvector.ann import resting
from apps.search.storage.pgvector.ann.report import carry_out, report_ann_indexes
from apps.search.storage.pgvector.ann.resting import rest_ann_indexes
from apps.search.storage.pgvector.tables.ann_index import forget_ann_indexes, get_ann_index_name
from tenants.context import owner_rights, tenant_context
from tenants.models import Tenant
from tenants.queue.backend import SCHEMA_KEY
from tests.models_app.models import NoteEmbedding
from tests.search.pgvector.filling import fill, make_vectors

MANY = 200
NAME = get_ann_index_name("filled", "default", 8)
LABEL = "pgvector.pgvectorembedding"
INDEXES = """
    SELECT indexname FROM pg_indexes
    WHERE schemaname = %s AND indexname ~ '^pgvector_[0-9a-f]{16}_hnsw' ORDER BY 1
"""


@pytest.fixture(autouse=True)
def _few_are_many(settings):
    settings.PGVECTOR = {"INDEX_ROWS": MANY, "REST_AFTER_DAYS": 30}
    forget_ann_indexes()
    yield
    forget_ann_indexes()


@pytest.fixture
def later(monkeypatch):
    """A month and a day have gone by."""
    move_clock(monkeypatch, timezone.now() + timedelta(days=31))


def move_clock(monkeypatch, time):
    monkeypatch.setattr(resting, "timezone", SimpleNamespace(now=lambda: time))


def fill_and_build(space="filled"):
    provider = fill(MANY, space=space)
    assert [fault for _, fault in carry_out(report_ann_indexes())] == [""]
    return provider


def rest(**options):
    return list(rest_ann_indexes(**options))


def list_indexes(schema="acme"):
    with owner_rights(), connection.cursor() as cursor:
        cursor.execute(INDEXES, [schema])
        return [name for (name,) in cursor.fetchall()]


def search(provider):
    nearest = provider.nearest(make_vectors(1, 8, seed=1)[0])[:10]
    return [row.document_key for row in nearest], nearest.plan.mode


def get_waiting():
    return [
        (task.task_path.rsplit(".", 1)[-1], task.args_kwargs["args"], task.args_kwargs["kwargs"][SCHEMA_KEY])
        for task in DBTaskResult.objects.all()
    ]


def test_a_quiet_index_rests_and_the_first_search_has_it_built_again(acme, globex, later):
    with tenant_context(globex):
        fill_and_build()
    with tenant_context(acme):
        provider = fill_and_build()
        exact = list(provider.objects.order_by("pk").values_list("document_key", flat=True))
        before = search(provider)
        rested = rest()
        forget_ann_indexes()
        meanwhile = [search(provider) for _ in range(3)]
        (status,) = report_ann_indexes()
        left = list_indexes()

    waiting = get_waiting()
    wake_vector_index.call(LABEL, NAME, **{SCHEMA_KEY: "acme"})

    ((label, size),) = rested
    assert (label, size > 8_192, len(exact)) == ("acme: filled/default", True, MANY)
    assert before[1] == "hnsw"
    assert [mode for _, mode in meanwhile] == ["exact"] * 3
    assert all(len(keys) == 10 for keys, _ in meanwhile)
    assert (status.mode, status.action, left) == ("resting", "none", [f"{NAME}_resting"])
    assert "of disk and memory are free; a search has it built again" in status.why
    assert waiting == [("wake_vector_index", [LABEL, NAME], "acme")]
    assert [list_indexes(schema) for schema in ("acme", "globex")] == [[NAME], [NAME]]
    with tenant_context(acme):
        assert search(provider)[1] == "hnsw"


def test_what_rests_is_not_built_for_writes_but_dropped_with_its_rows(in_acme, later):
    provider = fill_and_build()
    rest()

    after_a_write = [fill(MANY + 5), list(carry_out(report_ann_indexes())), list_indexes()][1:]
    provider.clear()
    list(carry_out(report_ann_indexes()))

    assert after_a_write == [[], [f"{NAME}_resting"]]
    assert list_indexes() == []


def test_waking_twice_is_harmless(in_acme, later):
    fill_and_build()
    rest()

    for _ in range(2):
        wake_vector_index.call(LABEL, NAME, **{SCHEMA_KEY: "acme"})

    assert list_indexes() == [NAME]


def test_an_index_that_was_built_lately_does_not_rest(in_acme):
    fill_and_build()

    assert (rest(), list_indexes()) == ([], [NAME])


def test_nothing_rests_unless_it_is_wanted(in_acme, settings, later):
    settings.PGVECTOR = {"INDEX_ROWS": MANY}
    fill_and_build()

    assert (rest(at_once=True), list_indexes()) == ([], [NAME])
    with pytest.raises(CommandError, match=r'PGVECTOR\["REST_AFTER_DAYS"\] is None'):
        call_command("rest_vector_indexes")


def test_an_index_that_a_table_declares_never_rests(in_acme):
    fill(MANY, model=NoteEmbedding, dimensions=384)

    assert rest(at_once=True) == []


@pytest.mark.parametrize("way", ["task", "command"])
def test_those_of_a_suspended_tenant_rest_at_once_and_others_go_on(acme, globex, way):
    for tenant in (acme, globex):
        with tenant_context(tenant):
            fill_and_build()
    Tenant.objects.filter(pk=acme.pk).update(state="suspended")
    out = StringIO()

    freed = rest_vector_indexes.call() if way == "task" else call_command("rest_vector_indexes", stdout=out)

    assert [list_indexes(schema) for schema in ("acme", "globex")] == [[f"{NAME}_resting"], [NAME]]
    if way == "task":
        assert freed > 0
    else:
        first, last = out.getvalue().splitlines()
        assert first.startswith("acme: filled/default rests: ")
        assert last.endswith(" of disk, and up to as much memory, are free.")


def test_one_that_is_searched_does_not_rest(commit, acme, globex, settings, monkeypatch):
    settings.PGVECTOR = {"INDEX_ROWS": MANY, "REST_AFTER_DAYS": 0}
    provider = PgVectorProvider(space="committed")

    def build():
        fill_and_build("committed")
        flush()

    def flush():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_force_next_flush()")

    def search_through_it():
        with connection.cursor() as cursor:
            cursor.execute("SET enable_sort = off; SET enable_seqscan = off")
        search(provider)
        flush()

    for tenant in (acme, globex):
        commit(build, tenant=tenant)
    built = timezone.now()
    commit(search_through_it)
    move_clock(monkeypatch, built)

    rested = [commit(rest, tenant=tenant) for tenant in (acme, globex)]

    assert [[label for label, _ in each] for each in rested] == [[], ["globex: committed/default"]]
