"""OnnxEmbedder: any model of text embeddings that is an ONNX file here, with its tokenizer.json."""

import os
import re
from collections.abc import Callable, Sequence
from typing import Any, Unpack

import numpy as np
import numpy.typing as npt

from apps.search.options.values import require_bool, require_int, require_text

from .base import BaseEmbedder, EmbedderOptions, EmbeddingError
from .onnx_model import OnnxModel
from .tokenizing import count_encoded, find_encoded
from .weights import WeightsFile

SHA256 = re.compile("[0-9a-f]{64}")
LANGUAGE = re.compile("[a-z]{2}")  # ISO 639-1
WORDS_PER_TOKEN = 0.7  # of English prose, names and marks included

type Numbers = npt.NDArray[Any]

# How the vectors of a text's tokens, shape (tokens, numbers), become one. No row is padding.
POOLINGS: dict[str, Callable[[Numbers], Numbers]] = {
    "mean": lambda hidden: hidden.mean(axis=0, dtype=np.float64),
    "cls": lambda hidden: hidden[0],
    "last": lambda hidden: hidden[-1],
}


class BaseOnnxEmbedder(BaseEmbedder):
    """What embedders that run an OnnxModel share: subclasses set `onnx`, `pooling` and `is_cut`."""

    onnx: OnnxModel
    pooling: str = "mean"
    is_cut: bool = False

    @property
    def token_limit(self) -> int:
        """How many tokens of a document are read beside its prefix and the model's own marks."""
        marks = self.onnx.load_tokenizer(truncated=False).num_special_tokens_to_add(False)
        prefix = self.count_tokens(self.document_prefix) if self.document_prefix else 0
        return max(1, self.onnx.max_tokens - marks - prefix)

    def count_tokens(self, text: str) -> int:
        return count_encoded(self.onnx.load_tokenizer(truncated=False), text)

    def find_tokens(self, text: str) -> Sequence[tuple[int, int]]:
        return find_encoded(self.onnx.load_tokenizer(truncated=False), text)

    def check_requirements(self) -> None:
        self.onnx.check_files()

    def load(self) -> None:
        self.onnx.load()

    def embed_batch(self, texts: Sequence[str]) -> npt.ArrayLike:
        """Return each text's vector, pooled and cut, shape (len(texts), dimensions)."""
        return np.stack(self.onnx.run(texts, self._pool))

    def _pool(self, output: Numbers) -> Numbers:
        depth = 1 if self.pooling == "none" else 2
        if output.ndim != depth:
            raise self._fault(
                f"the output has {output.ndim + 1} axes, and pooling {self.pooling!r} needs {depth + 1}. "
                f"Name another output, or take pooling 'none' for a model that pools by itself."
            )
        vector = POOLINGS[self.pooling](output) if depth == 2 else output
        if len(vector) < self.dimensions or (len(vector) > self.dimensions and not self.is_cut):
            raise self._fault(
                f"the model's vectors have {len(vector)} numbers, but dimensions is {self.dimensions}. Set "
                f"{len(vector)}; or matryoshka, and fewer, if the model was trained to be cut."
            )
        return vector[: self.dimensions]

    def _fault(self, reason: str) -> EmbeddingError:
        return EmbeddingError(f"{type(self).__name__} {self.onnx.model.path}: {reason}")


class OnnxEmbedder(BaseOnnxEmbedder):
    """Runs a model of your own, offline; the card of the model says what to set.

    Options beside those of BaseEmbedder:

    - `model_path`, `tokenizer_path`: the `.onnx` file, which must hold its weights, and its `tokenizer.json`.
    - `model_sha256`, `tokenizer_sha256`: what `sha256sum` prints for them. Another file is refused.
    - `dimensions`: how many numbers a vector has. With `matryoshka`, fewer than the model gives: the first
      ones are kept (Kusupati et al., "Matryoshka Representation Learning", 2022).
    - `pooling`: how the vectors of tokens become one: "mean", "cls" (the first), "last"; "none" for a model
      whose output is one vector for each text.
    - `output`: the name of the model's output; by default the first.
    - `max_tokens`: how many tokens of a text are read, the model's own marks counted.
    - `languages`: those that the model was trained for, such as `["en", "de"]`; None where it knows many.
    - `threads`: how many texts are worked on at once; 0: one for each processor.

    Every vector is scaled to length 1, whether the model does it or not.
    """

    def __init__(
        self,
        *,
        model_path: str | os.PathLike[str],
        model_sha256: str,
        tokenizer_path: str | os.PathLike[str],
        tokenizer_sha256: str,
        dimensions: int,
        pooling: str = "mean",
        matryoshka: bool = False,
        output: str = "",
        max_tokens: int = 512,
        languages: Sequence[str] | None = None,
        threads: int = 0,
        **options: Unpack[EmbedderOptions],
    ) -> None:
        """Check and keep the options; reads no file. Raises ValueError naming the option at fault."""
        super().__init__(**options)
        if pooling not in (*POOLINGS, "none"):
            allowed = ", ".join((*POOLINGS, "none"))
            raise ValueError(f"pooling is {pooling!r}; allowed are: {allowed}.")
        self.dimensions = require_int("dimensions", dimensions, minimum=1)
        if languages is not None and not (
            isinstance(languages, list | tuple) and all(LANGUAGE.fullmatch(str(code)) for code in languages)
        ):
            raise ValueError(f"languages is {languages!r}; allowed: a list of codes such as 'en', or None.")
        self.languages = tuple(languages) if languages else None
        self.pooling, self.is_cut = pooling, require_bool("matryoshka", matryoshka)
        self.onnx = OnnxModel(
            require_file("model", model_path, model_sha256),
            require_file("tokenizer", tokenizer_path, tokenizer_sha256),
            max_tokens=require_int("max_tokens", max_tokens, minimum=8),
            output=require_text("output", output, allow_empty=True),
            threads=require_int("threads", threads, minimum=0),
        )
        self.max_words = int(max_tokens * WORDS_PER_TOKEN)
        files = f"{model_sha256[:16]}+{tokenizer_sha256[:16]}"
        self.model_id = f"onnx-{files}:{output}:{pooling}:{max_tokens}:{dimensions}"


def require_file(name: str, path: object, sha256: object) -> WeightsFile:
    """Return the file of the options `name`_path and `name`_sha256, which may be missing yet.

    Raises ValueError naming the option at fault.
    """
    if not isinstance(path, str | os.PathLike) or not str(path).strip():
        raise ValueError(f"{name}_path must be the path of a file, not {path!r}.")
    if not isinstance(sha256, str) or not SHA256.fullmatch(sha256):
        raise ValueError(f"{name}_sha256 must be the 64 digits that `sha256sum` prints, not {sha256!r}.")
    return WeightsFile(os.fspath(path), sha256)
