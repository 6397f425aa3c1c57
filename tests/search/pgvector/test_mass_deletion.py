import numpy as np
import pytest
from django.db import connection
from django_tasks_db.models import DBTaskResult

from apps.search.documents import EmbeddedDocument
from apps.search.storage.pgvector import PgVectorProvider
from apps.search.storage.pgvector.ann.report import carry_out, report_ann_indexes
from apps.search.storage.pgvector.tables.ann_index import forget_ann_indexes
from tenants.context import owner_rights
from tests.models_app.models import NoteEmbedding
from tests.search.pgvector.filling import fill, make_vectors

# They look into the queue and the catalog, as no tenant may.
pytestmark = pytest.mark.usefixtures("as_owner")

ROWS, LEFT = 4_000, 300
WHY = "most rows that it holds were deleted, and searches look at them in vain"


@pytest.fixture(autouse=True)
def _few_are_many(settings):
    settings.PGVECTOR = {"INDEX_ROWS": LEFT, "BULK_ROWS": 1_000}
    forget_ann_indexes()
    yield
    forget_ann_indexes()


def fill_and_build():
    provider = fill(ROWS, dimensions=64, space="committed")
    list(carry_out(report_ann_indexes()))
    with owner_rights():
        DBTaskResult.objects.all().delete()
    return provider


def summarize(statuses):
    return [(each.rows, each.mode, each.action, each.why) for each in statuses]


def get_tasks():
    with owner_rights():
        return [task.task_path.rsplit(".", 1)[-1] for task in DBTaskResult.objects.all()]


def report_and_carry_out():
    before = report_ann_indexes()
    assert [fault for _, fault in carry_out(before)] == [""]
    return before + report_ann_indexes()


@pytest.mark.parametrize(
    "delete",
    [
        lambda provider: provider.prune_to([f"k{n}" for n in range(LEFT)]),
        lambda provider: provider.delete([f"k{n}" for n in range(LEFT, ROWS)]),
        lambda provider: provider.delete(where={"n": {"gte": LEFT}}),
    ],
)
def test_mass_deletion_lets_a_worker_build_the_ann_index_anew(commit, globex, delete):
    commit(fill_and_build, tenant=globex)
    provider = commit(fill_and_build)

    commit(delete, provider)

    assert commit(get_tasks) == ["maintain_vector_indexes"]
    before, after = commit(report_and_carry_out)
    assert summarize([before, after]) == [
        (LEFT, "hnsw", "rebuild", WHY),
        (LEFT, "hnsw", "none", "in use"),
    ]
    assert after.size < before.size / 4
    assert commit(lambda: len(provider.nearest(make_vectors(1, 64)[0])[:10])) == 10
    assert summarize(commit(report_ann_indexes, tenant=globex)) == [(ROWS, "hnsw", "none", "in use")]


def test_deletion_of_few_rows_is_no_reason(in_acme):
    provider = fill_and_build()

    provider.delete([f"k{n}" for n in range(1_000)])

    assert get_tasks() == []
    assert summarize(report_ann_indexes()) == [(ROWS - 1_000, "hnsw", "none", "in use")]


def test_declared_ann_index_is_rebuilt_after_a_mass_deletion(commit):
    provider = PgVectorProvider(NoteEmbedding, space="committed")

    def delete_most():
        vectors = make_vectors(1_500, 384)
        provider.add(EmbeddedDocument(f"k{n}", "text", {}, vector) for n, vector in enumerate(vectors))
        provider.prune_to([f"k{n}" for n in range(LEFT)])

    commit(delete_most)

    before, after = commit(report_and_carry_out)
    assert summarize([before, after]) == [
        (LEFT, "hnsw", "rebuild", WHY),
        (LEFT, "hnsw", "none", "declared by the model"),
    ]


@pytest.mark.parametrize("dimensions", [1, 64, 700, 2_000, 4_000, 4_001, 16_000])
def test_new_ann_index_is_never_taken_for_an_emptied_one(in_acme, dimensions):
    rows = 500
    provider = PgVectorProvider(space="new")
    vectors = np.random.default_rng(0).normal(size=(rows, dimensions)).astype(np.float32)
    provider.add(EmbeddedDocument(f"k{n}", "text", {}, vector) for n, vector in enumerate(vectors))

    list(carry_out(report_ann_indexes()))

    [status] = report_ann_indexes()
    assert status.action == "none"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_relation_size(%s::regclass)", [f"acme.{status.name}"])
        assert cursor.fetchone() == (status.size,)
