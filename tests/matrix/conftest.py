import pytest

from tests.search.embedder import BACKEND, HashingEmbedder


@pytest.fixture
def embedder(settings):
    settings.EMBEDDINGS = {"default": {"BACKEND": BACKEND, "MODEL": "pgvector.PgVectorEmbedding"}}
    HashingEmbedder.reset()
    yield HashingEmbedder
    HashingEmbedder.reset()
