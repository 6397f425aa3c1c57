"""A real embedder that costs nothing: words hashed into a few dimensions."""

from collections.abc import Callable
from zlib import crc32

import numpy as np

from apps.search.embedders import BaseEmbedder

BACKEND = "tests.search.embedder.HashingEmbedder"


class HashingEmbedder(BaseEmbedder):
    """Counts the words of a text by their hash, so equal texts are equal and shared words make texts near.

    `embedded` lists every text of every instance; `before_batch` is called before each batch.
    """

    embedded: list[str] = []
    before_batch: Callable[[list[str]], None]

    def __init__(self, *, dimensions: int = 8, **options):
        super().__init__(**options)
        self.dimensions = dimensions
        self.model_id = f"hashing:{dimensions}"

    def embed_batch(self, texts):
        type(self).before_batch(texts)
        self.embedded.extend(texts)
        vectors = np.full((len(texts), self.dimensions), 0.01)
        for row, text in enumerate(texts):
            for word in text.lower().split():
                vectors[row, crc32(word.encode()) % self.dimensions] += 1
        return vectors

    @classmethod
    def reset(cls):
        cls.embedded = []
        cls.before_batch = staticmethod(lambda texts: None)
