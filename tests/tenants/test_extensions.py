import pytest
from django.contrib.postgres.operations import CreateExtension
from django.db import connection, models
from django.test.utils import isolate_apps
from pgvector.django import HnswIndex, VectorExtension, VectorField

from tenants.checks import check_indexes
from tenants.context import owner_rights, tenant_context
from tests.models_app.models import NoteEmbedding

HOMES = "SELECT extname || ' in ' || extnamespace::regnamespace FROM pg_extension"


@pytest.fixture
def migrate(acme):
    def run(operation, direction):
        with tenant_context(acme), owner_rights(), connection.schema_editor() as editor:
            getattr(operation, f"database_{direction}")("notes", editor, None, None)

    return run


def test_an_extension_in_a_tenants_migration_is_made_in_public_and_never_dropped(migrate, column):
    with connection.cursor() as cursor:
        cursor.execute("DROP EXTENSION IF EXISTS pg_trgm CASCADE")

    migrate(CreateExtension("pg_trgm"), "forwards")
    made = column(HOMES)
    migrate(CreateExtension("pg_trgm"), "backwards")

    assert "pg_trgm in public" in made
    assert column(HOMES) == made


def test_the_vector_extension_in_a_tenants_migration_takes_no_vectors_with_it(migrate, globex, column):
    before = column(HOMES)

    migrate(VectorExtension(), "forwards")
    migrate(VectorExtension(), "backwards")

    assert "vector in public" in before
    assert column(HOMES) == before
    with tenant_context(globex):
        assert not NoteEmbedding.objects.exists()


@pytest.mark.parametrize(
    "sql", ["drop extension if exists vector;", "CREATE  EXTENSION IF NOT EXISTS vector"]
)
def test_statements_are_known_however_they_are_written(acme, column, sql):
    before = column(HOMES)

    with tenant_context(acme), owner_rights(), connection.schema_editor() as editor:
        editor.execute(sql)

    assert column(HOMES) == before


def test_without_a_tenant_an_extension_can_be_dropped(db, column):
    with connection.schema_editor() as editor:
        editor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        editor.execute("DROP EXTENSION pg_trgm CASCADE")

    assert "pg_trgm in public" not in column(HOMES)


@isolate_apps("tests.models_app")
@pytest.mark.parametrize("index_class", [models.Index, HnswIndex])
def test_an_index_on_a_field_that_a_tenants_model_lacks_is_an_error(monkeypatch, index_class):
    class Slip(models.Model):  # noqa: DJ008
        vector = VectorField(dimensions=4)

        class Meta:
            app_label = "notes"
            indexes = [index_class(name="slip_vector", fields=["vectoro"])]

    monkeypatch.setattr("tenants.checks.apps.get_models", lambda **options: [Slip])

    (message,) = check_indexes()

    assert (message.id, message.obj) == ("models.E012", Slip)
    assert message.msg == "'indexes' refers to the nonexistent field 'vectoro'."


def test_the_indexes_of_this_project_are_in_order():
    assert check_indexes() == []
