import pytest
from django.db import connection

from apps.search import NoTenantError
from apps.search.storage.pgvector.ann.builder import drop_ann_index, get_lock_name
from apps.search.storage.pgvector.ann.report import carry_out, report_ann_indexes
from apps.search.storage.pgvector.models import PgVectorEmbedding
from apps.search.storage.pgvector.tables.ann_index import forget_ann_indexes, get_ann_index_name
from tenants.context import tenant_context
from tenants.locks import Lock, take
from tests.models_app.models import NoteEmbedding
from tests.search.pgvector.filling import fill, spoil
from tests.tables_app.models import IvfflatEmbedding

# They look into the queue and the catalog, and spoil indexes, as no tenant may.
pytestmark = pytest.mark.usefixtures("as_owner")

MANY = 200


@pytest.fixture(autouse=True)
def _few_are_many(settings):
    settings.PGVECTOR = {"INDEX_ROWS": MANY}
    forget_ann_indexes()
    yield
    forget_ann_indexes()


@pytest.fixture
def carry_out_all(in_acme):
    return lambda: list(carry_out(report_ann_indexes()))


def execute(sql, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)


def invalidate(name):
    execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass", f"acme.{name}")


def summarize(statuses):
    return [(each.index_name, each.rows, each.mode, each.action) for each in statuses]


def delete_all_but(provider, count):
    provider.prune_to([f"k{number}" for number in range(count)])


def test_few_rows_are_searched_exactly(in_acme):
    fill(MANY - 1)

    (status,) = report_ann_indexes()

    assert summarize([status]) == [("default", MANY - 1, "exact", "none")]
    assert (status.schema, status.space, status.size, status.recall) == ("acme", "filled", 0, None)
    assert status.why == "exact search is quick below 200 rows"


def test_many_rows_get_an_index_with_its_size_and_recall(in_acme, carry_out_all):
    fill(MANY, dimensions=16)
    proposed = report_ann_indexes()

    done = carry_out_all()

    (status,) = report_ann_indexes(with_recall=True)
    assert summarize(proposed) == [("default", MANY, "exact", "build")]
    assert proposed[0].why == "from 200 rows on, an ANN index is quicker"
    assert [(each.action, fault) for each, fault in done] == [("build", "")]
    assert summarize([status]) == [("default", MANY, "hnsw", "none")]
    assert status.size > 8_192
    assert 0.9 <= status.recall <= 1.0
    assert carry_out_all() == []


@pytest.mark.parametrize(
    ("left", "action", "modes"),
    [(MANY // 2, "none", ["hnsw"]), (MANY // 2 - 1, "drop", ["exact"]), (0, "drop", [])],
)
def test_an_index_is_dropped_only_when_its_rows_are_half_as_many(in_acme, carry_out_all, left, action, modes):
    provider = fill(MANY)
    carry_out_all()
    delete_all_but(provider, left)

    (status,) = report_ann_indexes()
    carry_out_all()

    assert summarize([status]) == [("default", left, "hnsw", action)]
    assert [each.mode for each in report_ann_indexes()] == modes


def test_an_index_without_rows_is_known_by_what_its_builder_noted_down(in_acme, carry_out_all):
    fill(MANY, space="old", index_name="poems")
    carry_out_all()
    PgVectorEmbedding.objects.all().delete()

    (status,) = report_ann_indexes()

    assert (status.space, status.index_name, status.rows, status.dimensions) == ("old", "poems", 0, 8)
    assert (status.action, status.why) == ("drop", "no rows with 8 dimensions")


def test_a_foreign_comment_does_no_harm(in_acme, carry_out_all):
    fill(MANY)
    carry_out_all()
    PgVectorEmbedding.objects.all().delete()
    execute(f"COMMENT ON INDEX {get_ann_index_name('filled', 'default', 8)} IS 'do not touch'")

    (status,) = report_ann_indexes()

    assert (status.space, status.action, status.why) == ("", "drop", "no rows with ? dimensions")


@pytest.mark.parametrize(
    ("left", "action", "modes"), [(MANY, "rebuild", ["hnsw"]), (10, "drop", ["exact"]), (0, "drop", [])]
)
def test_an_invalid_index_is_found_and_rebuilt_or_dropped(in_acme, carry_out_all, left, action, modes):
    provider = fill(MANY)
    carry_out_all()
    delete_all_but(provider, left)
    invalidate(get_ann_index_name("filled", "default", 8))

    (status,) = report_ann_indexes(with_recall=True)
    done = carry_out_all()

    assert (status.mode, status.action, status.recall) == ("invalid", action, None)
    assert [(each.action, fault) for each, fault in done] == [(action, "")]
    assert [each.mode for each in report_ann_indexes()] == modes


def test_each_index_is_judged_by_its_own_rows(in_acme, carry_out_all):
    fill(MANY, index_name="letters")
    fill(10, index_name="poems")
    fill(MANY, index_name="poems", space="other")

    before = [(each.space, each.index_name, each.rows, each.action) for each in report_ann_indexes()]
    carry_out_all()

    assert before == [
        ("filled", "letters", MANY, "build"),
        ("filled", "poems", 10, "none"),
        ("other", "poems", MANY, "build"),
    ]
    assert [each.mode for each in report_ann_indexes()] == ["hnsw", "exact", "hnsw"]
    assert summarize(report_ann_indexes(index_name="letters")) == [("letters", MANY, "hnsw", "none")]


def test_another_tenants_indexes_are_neither_listed_nor_touched(acme, globex):
    with tenant_context(globex):
        fill(MANY)
        list(carry_out(report_ann_indexes()))
        PgVectorEmbedding.objects.all().delete()
    with tenant_context(acme):
        seen, done = report_ann_indexes(), list(carry_out(report_ann_indexes()))

    with tenant_context(globex):
        assert summarize(report_ann_indexes()) == [("default", 0, "hnsw", "drop")]
    assert (seen, done) == ([], [])


@pytest.mark.django_db
def test_without_a_tenant_there_is_no_report():
    with pytest.raises(NoTenantError, match=r"^No tenant is bound"):
        report_ann_indexes()


def test_an_index_that_another_session_builds_is_left_to_it(in_acme, carry_out_all):
    fill(MANY)
    name = get_ann_index_name("filled", "default", 8)
    due = report_ann_indexes()
    other = connection.copy()
    try:
        take(Lock.ANN_INDEX, get_lock_name(name), session=other)
        (status,) = report_ann_indexes()
        done = list(carry_out(due))
    finally:
        other.close()

    assert (status.mode, status.action, status.why) == ("building", "none", "a worker is working on it")
    assert done == []


def test_a_failure_is_told_and_the_others_are_dealt_with(in_acme):
    spoil(fill(MANY, index_name="letters"))
    fill(MANY, index_name="poems")

    outcomes = [(each.index_name, fault) for each, fault in carry_out(report_ann_indexes())]

    assert outcomes == [
        ("letters", "acme: filled/letters: build failed: expected 8 dimensions, not 9"),
        ("poems", ""),
    ]


def test_a_declared_index_is_reported_and_never_dropped(in_acme, carry_out_all):
    provider = fill(20, dimensions=384, model=NoteEmbedding, index_name="notes")

    (status,) = report_ann_indexes(with_recall=True)

    assert summarize([status]) == [("notes", 20, "hnsw", "none")]
    assert (status.why, status.recall >= 0.9) == ("declared by the model", True)
    assert status.size > 0
    assert provider.objects.count() == 20


def test_an_invalid_declared_index_is_rebuilt_once_for_all_that_share_it(in_acme, carry_out_all):
    for index_name in ("notes", "poems"):
        fill(20, dimensions=384, model=NoteEmbedding, index_name=index_name)
    (name,) = {each.name for each in report_ann_indexes()}
    invalidate(name)

    before = summarize(report_ann_indexes())
    done = carry_out_all()

    assert before == [("notes", 20, "invalid", "rebuild"), ("poems", 20, "invalid", "rebuild")]
    assert [(each.action, fault) for each, fault in done] == [("rebuild", "")]
    assert [each.mode for each in report_ann_indexes()] == ["hnsw", "hnsw"]


def test_an_invalid_declared_index_of_an_empty_table_is_reported(in_acme, carry_out_all):
    invalidate(NoteEmbedding._meta.indexes[0].name)

    before = [(each.model, each.mode, each.action) for each in report_ann_indexes()]
    carry_out_all()

    assert before == [(NoteEmbedding, "invalid", "rebuild")]
    assert report_ann_indexes() == []


def test_a_declared_index_that_is_missing_is_named(in_acme):
    fill(20, dimensions=384, model=NoteEmbedding)
    name = NoteEmbedding._meta.indexes[0].name
    drop_ann_index(name)

    (status,) = report_ann_indexes()

    assert (status.mode, status.action) == ("exact", "none")
    assert status.why == f"the model declares {name}, which is missing here: migrate"


def test_an_ivfflat_index_of_an_empty_table_is_rebuilt_when_there_are_rows(
    in_acme, tables_app, make_table, carry_out_all
):
    make_table(IvfflatEmbedding)
    fill(MANY - 1, model=IvfflatEmbedding)
    before = summarize(report_ann_indexes())
    fill(MANY, model=IvfflatEmbedding)

    (status,) = report_ann_indexes()
    carry_out_all()

    assert before == [("default", MANY - 1, "ivfflat", "none")]
    assert summarize([status]) == [("default", MANY, "ivfflat", "rebuild")]
    assert status.why == "its 1 lists are those of what the migration found; there are 200 rows"
    assert summarize(report_ann_indexes()) == [("default", MANY, "ivfflat", "none")]
