from tests.search.conftest import embedder

__all__ = ["embedder"]
