import pytest

from .stub_reranker import RerankServer


@pytest.fixture
def rerank_server():
    with RerankServer() as server:
        yield server
