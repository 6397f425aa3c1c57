"""Indexes are named sets of documents. An app registers its indexes in `search_indexes.py`."""

from apps.search.indexes.registry import VectorIndex, register

__all__ = ["VectorIndex", "register"]
