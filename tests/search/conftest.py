import pytest
from django.db import connection

from tenants.context import owner_rights, tenant_context
from tests.search.embedder import BACKEND, HashingEmbedder


@pytest.fixture
def embedder(settings):
    settings.EMBEDDINGS = {
        "default": {"BACKEND": BACKEND, "MODEL": "pgvector.PgVectorEmbedding"},
        "other": {"BACKEND": BACKEND, "MODEL": "pgvector.PgVectorEmbedding", "OPTIONS": {"dimensions": 16}},
        "custom": {
            "BACKEND": BACKEND,
            "MODEL": "notes.NoteEmbedding",
            "OPTIONS": {"dimensions": 384},
        },
    }
    HashingEmbedder.reset()
    yield HashingEmbedder
    HashingEmbedder.reset()


@pytest.fixture
def make_table(acme, globex):
    def make(model):
        for tenant in (acme, globex):
            with tenant_context(tenant), owner_rights(), connection.schema_editor() as editor:
                editor.create_model(model)
        return model

    return make


@pytest.fixture
def tables_app(settings):
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "tests.tables_app"]
