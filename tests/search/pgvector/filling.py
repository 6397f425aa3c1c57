"""Indexes with many rows, for tests of what happens when there are many."""

import numpy as np

from apps.search.documents import EmbeddedDocument
from apps.search.storage.pgvector import PgVectorProvider


def make_vectors(rows, dimensions, seed=0):
    """Vectors in clusters, as embeddings are: those of plain noise are all equally far from each other."""
    centres = np.random.default_rng(0).normal(size=(20, dimensions))
    random = np.random.default_rng(1 + seed)
    return centres[random.integers(20, size=rows)] + 0.5 * random.normal(size=(rows, dimensions))


def fill(rows, *, dimensions=8, index_name="default", space="filled", model=None):
    """Store that many documents in the bound tenant; return their provider."""
    provider = PgVectorProvider(model, space=space, index_name=index_name)
    vectors = make_vectors(rows, dimensions)
    provider.add(EmbeddedDocument(f"k{n}", "text", {"n": n}, vector) for n, vector in enumerate(vectors))
    return provider


def spoil(provider):
    """Give one row a vector of another length, which the provider would refuse and no index can hold."""
    row = provider.objects.latest("pk")
    row.vector = np.ones(9)
    row.save(update_fields=["vector"])
