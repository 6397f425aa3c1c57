"""OnnxCrossEncoder: a model that reads question and text together, an ONNX file of the operator's own."""

import os
import time
from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from apps.search.embedders import EmbeddingError
from apps.search.embedders.onnx import require_file
from apps.search.embedders.onnx_model import OnnxModel
from apps.search.options.values import require_int, require_text

from .reranker import BaseReranker, Candidate, Question, RerankError


class OnnxCrossEncoder(BaseReranker):
    """Runs a cross-encoder on the processors, one candidate a run (Nogueira and Cho, 2019).

    Options: `model_path`, `model_sha256`, `tokenizer_path`, `tokenizer_sha256`, `output`, `max_tokens` and
    `threads` as those of OnnxEmbedder. The output must have one number for a pair, or two, of which the
    second says that the text answers.
    """

    def __init__(
        self,
        *,
        model_path: str | os.PathLike[str],
        model_sha256: str,
        tokenizer_path: str | os.PathLike[str],
        tokenizer_sha256: str,
        output: str = "",
        max_tokens: int = 512,
        threads: int = 0,
    ) -> None:
        """Check and keep the options; reads no file. Raises ValueError naming the option at fault."""
        self.onnx = OnnxModel(
            require_file("model", model_path, model_sha256),
            require_file("tokenizer", tokenizer_path, tokenizer_sha256),
            max_tokens=require_int("max_tokens", max_tokens, minimum=8),
            output=require_text("output", output, allow_empty=True),
            threads=require_int("threads", threads, minimum=0),
        )

    def check_requirements(self) -> None:
        try:
            self.onnx.check_files()
        except EmbeddingError as error:
            raise RerankError(str(error)) from error

    def score(self, question: Question, candidates: Sequence[Candidate], seconds: float) -> npt.ArrayLike:
        pairs = [(question.text, candidate.text) for candidate in candidates]
        try:
            return self.onnx.run(pairs, self._read, deadline=time.monotonic() + seconds)
        except EmbeddingError as error:
            raise RerankError(str(error)) from error

    def _read(self, output: Any) -> float:
        if output.shape not in ((), (1,), (2,)):
            raise RerankError(
                f"{self.onnx.model.path}: an output of shape {output.shape} for a pair is no score; a "
                f"cross-encoder gives one number, or two. Name another output, or another model."
            )
        return float(output[1] - output[0]) if output.shape == (2,) else float(output.reshape(()))
