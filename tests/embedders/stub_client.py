"""Embedders of the stub server, and what they say when they fail."""

import pytest

from apps.search.embedders import EmbeddingError, OpenAICompatibleEmbedder

from .stub_server import DIMENSIONS

KEY = "sk-very-secret-0123456789"


def make_embedder(base_url, **options):
    defaults = {"model": "stub", "dimensions": DIMENSIONS, "api_key": KEY, "timeout": 10}
    return OpenAICompatibleEmbedder(base_url=base_url, **(defaults | options))


def failure_of(embedder, texts=("cat",)):
    with pytest.raises(EmbeddingError) as caught:
        embedder.embed_documents(texts)
    assert KEY not in str(caught.value)
    return str(caught.value)
