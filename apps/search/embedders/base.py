"""BaseEmbedder: what every embedder promises, and the checks that hold it to the promise.

To add an embedder, subclass BaseEmbedder, set `dimensions` and `model_id`, write `embed_batch`, and name the
class as BACKEND in settings.EMBEDDINGS. `tests/embedders/contract.py` tests whether it keeps the promise. If
it has a tokenizer, write `token_limit`, `count_tokens` and `find_tokens`, too: texts are then cut by tokens.
"""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from apps.search.options.texts import find_bad_character
from apps.search.options.values import require_int, require_text

from .tokenizing import estimate_count, estimate_tokens

type Vectors = npt.NDArray[np.float32]


class EmbedderOptions(TypedDict, total=False):
    """Options of BaseEmbedder, for the signature of a subclass: `**options: Unpack[EmbedderOptions]`."""

    query_prefix: str
    document_prefix: str
    batch_size: int


class EmbeddingError(Exception):
    """An embedder could not do its work: weights are missing, a service failed, a result is unusable.

    `status` is the HTTP status of a service that answered with one, otherwise None.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class EmbeddingUnavailableError(EmbeddingError):
    """No text can be embedded just now; the service asks to wait `retry_after` seconds, if it says so."""

    def __init__(self, message: str, retry_after: float | None = None, status: int | None = None) -> None:
        super().__init__(message, status)
        self.retry_after = retry_after


class InvalidTextError(ValueError):
    """A text cannot be embedded. `position` counts from 0 in the iterable given, `reason` says why."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(f"Text at position {position} (counted from 0) {reason}.")
        self.position = position
        self.reason = reason


class BaseEmbedder(ABC):
    """Turns texts into vectors of length 1; one vector for each text, in the order of the texts.

    Subclasses set these attributes, on the class or in `__init__`:

    - `dimensions`: how many numbers a vector has.
    - `model_id`: names model and dimensions. Two embedders with the same model_id give the same vector for
      the same text with its prefix, so that vectors may be cached by it.
    - `is_worth_caching`: whether finding a stored vector is quicker than making it again.
    - `weak_below`: the cosine similarity below which not even the best document is a close match to a query;
      None where nobody has measured it.
    - `languages`: those that the model was trained for, as codes of ISO 639-1; None where it knows many, or
      nobody has said. Hybrid search trusts it less outside of them, and doctor says so.
    - `max_words`: about how many words of a text are read, a hint for chunking; None when there is no limit.

    An instance lives as long as its process and serves all threads. Making one must be cheap, since system
    checks do so: load weights on first use, with `weights.once_per_process` or `once_for_forks`.
    """

    dimensions: int
    model_id: str
    max_words: int | None = None
    weak_below: float | None = None
    languages: tuple[str, ...] | None = None
    is_worth_caching: bool = True

    def __init__(self, *, query_prefix: str = "", document_prefix: str = "", batch_size: int = 32) -> None:
        """Check and keep the options that all embedders share. Raises ValueError naming the option.

        The prefixes are put before every text (e5, bge and nomic were trained with them). `batch_size` is the
        number of texts in one call of `embed_batch`.
        """
        self.query_prefix = require_text("query_prefix", query_prefix, allow_empty=True)
        self.document_prefix = require_text("document_prefix", document_prefix, allow_empty=True)
        self.batch_size = require_int("batch_size", batch_size, minimum=1)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.model_id}>"

    @abstractmethod
    def embed_batch(self, texts: Sequence[str]) -> npt.ArrayLike:
        """Return one vector for each text, in order: shape (len(texts), dimensions), any length but 0.

        `texts` holds 1 to batch_size texts, checked and with their prefix. Called by many threads at once.
        Raise InvalidTextError with the position in `texts` for a text that has no vector, EmbeddingError for
        everything else.
        """

    @property
    def token_limit(self) -> int | None:
        """How many tokens of a document's text are read; None when there is no limit.

        Its prefix and the model's own marks are taken off. Here it is `max_words`: a word is a token or more.
        """
        return self.max_words

    def count_tokens(self, text: str) -> int:
        """Return how many tokens a text has, the model's own marks not counted. Takes any str.

        An estimate (four bytes of UTF-8 are a token), unless the embedder has a tokenizer. Raises
        EmbeddingError when that is not installed.
        """
        return estimate_count(text)

    def find_tokens(self, text: str) -> Sequence[tuple[int, int]]:
        """Return where the tokens of a text begin and end, in characters; see `count_tokens`."""
        return estimate_tokens(text)

    def check_requirements(self) -> None:
        """Raise EmbeddingError saying what to install if something is missing. Cheap: loads no weights."""
        return

    def load(self) -> None:
        """Load the weights now and use them for nothing, so that processes forked later share them.

        Does nothing for an embedder that has none. Raises EmbeddingError.
        """
        return

    def embed_query(self, text: str) -> Vectors:
        """Return the vector of a search text: float32, shape (dimensions,), length 1.

        Raises InvalidTextError for a text that is not a str, blank, or holds a NUL byte or a lone surrogate,
        and EmbeddingError when the embedder fails.
        """
        return self._embed([text], self.query_prefix, start=0)[0]

    def embed_documents(
        self, texts: Iterable[str], *, progress: Callable[[int], object] | None = None
    ) -> Vectors:
        """Return the vectors of documents: float32, shape (number of texts, dimensions), each of length 1.

        `texts` may be a generator; it is read, checked and embedded batch by batch. `progress` is called
        after each batch with the number of texts in that batch, as `tqdm.update` takes it. Raises as
        embed_query, and TypeError for a single str.
        """
        if isinstance(texts, str):
            raise TypeError("texts must be an iterable of str, not one str: put it into a list.")
        parts = [np.empty((0, self.dimensions), dtype=np.float32)]
        start = 0
        for batch in itertools.batched(texts, self.batch_size):
            parts.append(self._embed(batch, self.document_prefix, start=start))
            start += len(batch)
            if progress is not None:
                progress(len(batch))
        return np.concatenate(parts)

    def _embed(self, texts: Sequence[str], prefix: str, *, start: int) -> Vectors:
        for position, text in enumerate(texts, start):
            if not isinstance(text, str):
                raise InvalidTextError(position, f"must be a str, not {type(text).__name__}")
            if not text.strip():
                raise InvalidTextError(position, "is empty or blank")
            if reason := find_bad_character(text):
                raise InvalidTextError(position, reason)
        try:
            result = self.embed_batch([prefix + text for text in texts])
        except InvalidTextError as error:
            raise InvalidTextError(start + error.position, error.reason) from error
        return self._check_vectors(result, len(texts), start)

    def _check_vectors(self, result: npt.ArrayLike, count: int, start: int) -> Vectors:
        try:
            vectors = np.asarray(result, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise self._unexpected(count, f"something else ({str(error)[:120]})") from error
        if vectors.shape != (count, self.dimensions):
            raise self._unexpected(count, f"an array of shape {vectors.shape}")
        largest = np.abs(vectors).max(axis=1, keepdims=True)
        for faulty, fault in (
            (~np.isfinite(largest), "holds NaN or an infinite number"),
            (largest == 0, "is all zeros"),
        ):
            if faulty.any():
                position = start + int(faulty.argmax())
                raise self._unexpected(count, f"for the text at position {position} a vector that {fault}")
        # Divided by its largest number first, no vector over- or underflows when it is squared.
        scaled = vectors / largest
        return (scaled / np.linalg.norm(scaled, axis=1, keepdims=True)).astype(np.float32)

    def _unexpected(self, count: int, got: str) -> EmbeddingError:
        expected = f"{count} x {self.dimensions} finite numbers, no vector all zeros"
        return EmbeddingError(f"{type(self).__name__} ({self.model_id}): expected {expected}; got {got}.")
