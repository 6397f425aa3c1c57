import io
import json

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django_tasks_db.models import DBTaskResult

from apps.operations.doctor.examining import examine
from apps.operations.doctor.finding import Level
from apps.search.documents import EmbeddedDocument
from apps.search.indexing.tasks import make_keywords
from apps.search.storage.pgvector import PgVectorProvider
from apps.search.storage.pgvector.ann.report import carry_out, report_ann_indexes
from apps.search.storage.pgvector.models import PgVectorEmbedding
from apps.search.storage.pgvector.tables.ann_index import forget_ann_indexes, get_ann_index_name
from tenants.context import owner_rights, tenant_context
from tenants.models import Tenant
from tenants.postgresql.role_names import get_role_name
from tests.models_app.models import NoteEmbedding
from tests.search.embedder import HashingEmbedder
from tests.search.pgvector.filling import fill

pytestmark = pytest.mark.usefixtures("embedder")

MANY = 200
DECLARED = NoteEmbedding._meta.indexes[0].name


@pytest.fixture(autouse=True)
def _few_are_many(settings):
    settings.PGVECTOR = {"INDEX_ROWS": MANY}
    forget_ann_indexes()
    yield
    forget_ann_indexes()


@pytest.fixture
def fill_acme(acme):
    def fill_acme(rows=5, *, space="default", **values):
        with tenant_context(acme):
            return fill(rows, space=space, **values)

    return fill_acme


@pytest.fixture
def drift(settings):
    # An alias edited in place, as must not be done.
    def drift():
        entry = settings.EMBEDDINGS["default"] | {"OPTIONS": {"dimensions": 9}}
        settings.EMBEDDINGS = settings.EMBEDDINGS | {"default": entry}

    return drift


def execute(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)


def carry_out_in(tenant):
    with tenant_context(tenant), owner_rights():
        assert [fault for _, fault in carry_out(report_ann_indexes())] == [""]


def find(subject, schema=None):
    return [finding for finding in examine(schema) if finding.subject == subject]


def find_only(subject, schema=None):
    (finding,) = find(subject, schema)
    return finding


def execute_here(fix):
    # In the test's transaction PostgreSQL builds nothing concurrently.
    execute(fix.replace(" CONCURRENTLY", ""))


def test_a_tenant_with_documents_is_healthy(acme, fill_acme):
    fill_acme(MANY - 1)
    fill_acme(20, dimensions=384, model=NoteEmbedding, index_name="notes", space="custom")
    out = io.StringIO()

    call_command("doctor", strict=True, stdout=out)

    assert out.getvalue().endswith("All is healthy.\n")


def test_dimension_drift_is_found_and_the_sql_of_its_fix_removes_it(acme, fill_acme, drift):
    fill_acme(3)
    drift()

    finding = find_only("acme")
    statement, command = finding.fix.split("; ")[1:]
    execute(statement.removeprefix("or: "))

    assert finding.level == Level.ERROR
    assert finding.message == (
        "space 'default', index 'default': vectors of 8 dimensions are stored; the embedder makes 9."
    )
    assert finding.fix.startswith("Undo the change of EMBEDDINGS['default']; or: DELETE FROM")
    assert command == "manage.py rebuild_index --schema=acme --space=default"
    assert find("acme") == []


@pytest.mark.parametrize(
    ("cut", "words"), [(3, "3 documents have"), (100, "The 100 longest documents, perhaps more, have")]
)
def test_documents_that_the_embedder_reads_in_part_are_counted(acme, globex, monkeypatch, cut, words):
    monkeypatch.setattr(HashingEmbedder, "max_words", 5)
    texts = ["x" * 4 * (5 + (number < cut)) for number in range(120)]
    with tenant_context(acme):
        PgVectorProvider().add(
            EmbeddedDocument(f"k{number}", text, {}, [1.0] * 8) for number, text in enumerate(texts)
        )

    finding = find_only("acme")

    assert finding.level == Level.INFO
    assert finding.message == (
        f"space 'default', index 'default': {words} more than the 5 tokens that the embedder reads, up to 6. "
        "What is beyond is found by words only."
    )
    assert finding.fix.endswith("manage.py rebuild_index --schema=acme --index=default")
    assert find("globex") == []


def test_drift_of_the_newest_vectors_is_found(acme, fill_acme):
    fill_acme(3)
    row = {"index_name": "default", "space": "default", "document_key": "new", "content": "secret"}
    with tenant_context(acme):
        PgVectorEmbedding.objects.create(vector=[1.0] * 5, **row)

    finding = find_only("acme")

    assert "vectors of 5 dimensions are stored; the embedder makes 8." in finding.message


def test_a_space_that_is_not_in_the_settings_is_found(acme):
    Tenant.objects.filter(pk=acme.pk).update(space="gone")

    finding = find_only("acme")

    assert (finding.level, finding.message) == (
        Level.ERROR,
        "Its space 'gone' is neither in settings.EMBEDDINGS nor its own.",
    )
    assert finding.fix == "Add it, or choose another in the admin: custom, default, other."


def test_documents_of_another_space_are_mentioned_and_their_fix_removes_them(acme, fill_acme):
    fill_acme(3)
    fill_acme(4, space="o'ther")

    finding = find_only("acme")
    execute(finding.fix)

    assert finding.level == Level.INFO
    assert finding.message == (
        "space \"o'ther\", index 'default': 4 documents; the tenant is served from 'default'."
    )
    assert find("acme") == []
    with tenant_context(acme):
        assert PgVectorEmbedding.objects.count() == 3


def test_a_missing_index_is_found_and_its_building_is_written_as_a_task(acme, fill_acme):
    fill_acme(MANY)
    fill_acme(MANY, index_name="poems")

    findings = find("acme")
    out = io.StringIO()
    call_command("doctor", fix=True, stdout=out)

    assert out.getvalue().count("    mended; a worker will do it, the task is written\n") == 2
    assert [(finding.level, finding.message) for finding in findings] == [
        (
            Level.WARNING,
            f"space 'default', index '{name}': its vector index is missing; "
            "from 200 rows on, an ANN index is quicker.",
        )
        for name in ("default", "poems")
    ]
    assert findings[0].fix == "manage.py vector_indexes --schema=acme --apply"
    (task,) = DBTaskResult.objects.all()
    assert task.task_path == "apps.search.indexing.tasks.maintain_vector_indexes"
    assert task.args_kwargs["kwargs"] == {"_tenant_schema": "acme"}


def test_an_invalid_index_is_found_and_healthy_once_rebuilt(acme, fill_acme):
    fill_acme(MANY)
    carry_out_in(acme)
    name = get_ann_index_name("default", "default", 8)
    before = find("acme")
    execute(f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'acme.{name}'::regclass")

    finding = find_only("acme")
    finding.mend()
    carry_out_in(acme)

    assert before == []
    assert finding.level == Level.WARNING
    assert finding.message.startswith("space 'default', index 'default': its vector index is invalid; ")
    assert find("acme") == []


def test_documents_that_wait_for_their_keywords_are_counted_and_a_task_is_written(acme, settings):
    settings.PGVECTOR = {"BULK_ROWS": 3}
    with tenant_context(acme):
        fill(4, space="default")
    DBTaskResult.objects.all().delete()

    finding = find_only("acme")
    remark = finding.mend()

    (task,) = DBTaskResult.objects.all()
    assert finding.level == Level.INFO
    assert finding.message == (
        "space 'default', index 'default': 4 documents wait for their keywords; searches by words read few "
        "of them."
    )
    assert finding.fix == "manage.py doctor --schema=acme --fix, and a worker"
    assert (remark, task.task_path.rsplit(".")[-1]) == (
        "a worker will do it, the task is written",
        "make_keywords",
    )


def test_keywords_of_another_recipe_are_counted_and_made_anew(acme):
    with tenant_context(acme):
        fill(4, space="default")
        PgVectorEmbedding.objects.filter(document_key__in=["k0", "k1"]).update(keyword_recipe="english, 1")

    DBTaskResult.objects.all().delete()
    finding = find_only("acme")
    finding.mend()
    (task,) = DBTaskResult.objects.all()
    with tenant_context(acme):
        made = make_keywords.func(*task.args_kwargs["args"])

    assert "2 documents have keywords of another language or an earlier version" in finding.message
    assert made == 2


def test_documents_in_other_languages_than_the_embedders_are_told(acme, globex, monkeypatch):
    monkeypatch.setattr(HashingEmbedder, "languages", ("en",), raising=False)
    for tenant, texts in (
        (acme, ["検索エンジン", "倒排索引", "hello"]),
        (globex, ["hello", "there", "倒排索引"]),
    ):
        with tenant_context(tenant):
            PgVectorProvider().add(
                EmbeddedDocument(f"d{number}", text, {}, [1.0] * 8) for number, text in enumerate(texts)
            )

    finding = find_only("acme")

    assert finding.level == Level.INFO
    assert "2 of 3 documents are in other languages than the embedder knows (en)" in finding.message
    assert find("globex") == []


def test_an_index_that_few_rows_need_is_only_mentioned(acme, fill_acme):
    provider = fill_acme(MANY)
    carry_out_in(acme)
    with tenant_context(acme):
        provider.prune_to(["k1"])

    finding = find_only("acme")

    assert finding.level == Level.INFO
    assert "its vector index is of no use; exact search is quick below 100 rows." in finding.message


def test_a_declared_index_that_is_missing_is_found_and_its_fix_makes_it(acme):
    execute(f"DROP INDEX acme.{DECLARED}")

    finding = find_only("acme")
    execute_here(finding.fix)

    assert (finding.level, finding.message) == (
        Level.WARNING,
        f"The vector index {DECLARED} is missing: every search is exact.",
    )
    assert finding.fix.startswith(f'CREATE INDEX CONCURRENTLY "{DECLARED}" ON "acme".')
    assert find("acme") == []


def test_another_operator_class_than_declared_is_found_and_its_fix_mends_it(acme):
    execute(f"DROP INDEX acme.{DECLARED}")
    execute(f"CREATE INDEX {DECLARED} ON acme.notes_noteembedding USING hnsw (vector vector_l2_ops)")

    finding = find_only("acme")
    execute_here(finding.fix)

    assert finding.message == (
        f"The vector index {DECLARED} has vector_l2_ops; vector_cosine_ops is declared, so no search uses it."
    )
    assert find("acme") == []


def test_a_bad_entry_of_the_settings_is_found_with_the_hint_of_its_check(acme, settings):
    settings.EMBEDDINGS = settings.EMBEDDINGS | {
        "custom": {"BACKEND": "tests.search.embedder.HashingEmbedder", "MODEL": "notes.NoteEmbedding"}
    }

    finding = find_only("search")

    assert finding.level == Level.ERROR
    assert finding.message.startswith("EMBEDDINGS['custom']: the embedder makes 8 dimensions")
    assert finding.message.endswith("(search.E003)")
    assert finding.fix.startswith("Use VectorField(dimensions=8)")


@pytest.mark.parametrize(
    ("name", "value", "message", "advice"),
    [
        ("hnsw.iterative_scan", "off", "is off: a filtered search finds too few.", "strict_order"),
        ("hnsw.ef_search", "10", "is 10: near documents are missed.", "64"),
        ("random_page_cost", "4", "is 4: vector indexes are shunned.", "1.1"),
    ],
)
def test_a_poor_option_of_the_connection_is_found(acme, name, value, message, advice):
    execute(f"SET LOCAL {name} = '{value}'")

    finding = find_only("search")

    assert (finding.level, finding.message) == (Level.WARNING, f"{name} {message}")
    assert finding.fix == f"DATABASES['default']['OPTIONS']['options']: -c {name}={advice}"


def test_a_tenant_that_cannot_be_examined_is_a_finding_and_the_next_one_is_examined(acme, globex):
    execute("ALTER TABLE acme.pgvector_pgvectorembedding RENAME COLUMN index_name TO lost")
    execute(f"DROP INDEX globex.{DECLARED}")

    finding = find_only("acme")

    assert finding.message == "Its search could not be examined: ProgrammingError."
    assert finding.fix == "manage.py migrate_schemas --schema=acme"
    assert find_only("globex").message.startswith(f"The vector index {DECLARED} is missing")


def test_a_tenant_without_its_role_is_examined_all_the_same(acme, fill_acme, drift):
    fill_acme(3)
    drift()
    role = get_role_name(connection.settings_dict["NAME"], "acme")
    execute(f'DROP OWNED BY "{role}"; DROP ROLE "{role}"')

    messages = [finding.message for finding in find("acme")]

    assert messages[0] == "Its database role is missing: every request fails."
    assert messages[1].endswith("the embedder makes 9.")


def test_names_and_counts_are_told_but_no_content(acme, globex, drift):
    with tenant_context(globex):
        provider = PgVectorProvider(space="default")
        provider.add([EmbeddedDocument("secret-key", "secret text", {"secret": "value"}, [1.0] * 8)])
    drift()
    out = io.StringIO()

    with pytest.raises(CommandError, match="1 errors"):
        call_command("doctor", json=True, stdout=out)

    assert "globex" in {row["subject"] for row in json.loads(out.getvalue())["findings"]}
    assert "secret" not in out.getvalue()


def test_one_tenants_findings_are_not_anothers(acme, globex, fill_acme, drift):
    fill_acme(3)
    drift()

    assert [finding.subject for finding in examine("globex") if finding.level != Level.INFO] == []
    assert len(find("acme", "acme")) == 1
