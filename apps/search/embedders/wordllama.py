"""WordLlamaEmbedder: static vectors of tokens, averaged; offline, a hundred times faster than a transformer.

Weights and tokenizer are those of the package wordllama (configuration l2_supercat, 256 dimensions).
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .base import BaseEmbedder, InvalidTextError
from .tokenizing import count_encoded, find_encoded
from .weights import find_package_file, give_back_memory, once_for_forks

INSTALL = "wordllama"
WEIGHTS = "weights/l2_supercat_256.safetensors"
TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"


class WordLlamaEmbedder(BaseEmbedder):
    """256 dimensions; reads texts of any length, knows no word order; thousands of texts a second."""

    dimensions = 256
    model_id = "wordllama-l2_supercat:256"
    is_worth_caching = False
    weak_below = 0.27  # the demo's 20 golden queries have 0.28 and more, 26 of 30 strange ones less

    def count_tokens(self, text: str) -> int:
        return count_encoded(_load_model().tokenizer, text)

    def find_tokens(self, text: str) -> Sequence[tuple[int, int]]:
        return find_encoded(_load_model().tokenizer, text)

    def check_requirements(self) -> None:
        _find_folder()

    def load(self) -> None:
        _load_model()

    def embed_batch(self, texts: Sequence[str]) -> npt.ArrayLike:
        """Return the mean of each text's token vectors, shape (len(texts), 256)."""
        model = _load_model()
        return np.stack([_embed_text(text, position, model) for position, text in enumerate(texts)])


def _embed_text(text: str, position: int, model: Any) -> npt.NDArray[np.float32]:
    # Not model.embed(): it pads a batch to its longest text, so that one of 20,000 words beside 31 short ones
    # takes gigabytes. The mean of the unpadded tokens is the same vector. Nor does it clip token ids, which
    # would give unknown tokens the vector of the last one: here a wrong id is an IndexError.
    tokens = model.tokenize(text)[0].ids
    if not tokens:
        raise InvalidTextError(position, "gives no tokens")
    return model.embedding[tokens].mean(axis=0)


def _find_folder() -> Path:
    find_package_file("wordllama", TOKENIZER, install=INSTALL)
    return find_package_file("wordllama", WEIGHTS, install=INSTALL).parents[1]


@once_for_forks
def _load_model() -> Any:
    # Without cache_dir the package misses its own tokenizer (it looks in tokenizer/, but ships tokenizers/).
    model = _import_wordllama().WordLlama.load(cache_dir=_find_folder(), disable_download=True)
    give_back_memory()
    return model


def _import_wordllama() -> Any:
    # The package calls logging.basicConfig() when imported, which would add a handler to the root logger and
    # set its level; it does nothing when the root logger has a handler already.
    root, placeholder = logging.getLogger(), logging.NullHandler()
    root.addHandler(placeholder)
    try:
        import wordllama  # heavy, and not needed until the first text
    finally:
        root.removeHandler(placeholder)
    return wordllama
