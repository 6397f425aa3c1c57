"""BaseReranker: what every reranker promises, and the checks that hold it to the promise.

To add one, subclass BaseReranker, write `score`, and name the class as BACKEND in settings.RERANKERS.
`tests/rerankers/contract.py` tests whether it keeps the promise.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


class RerankError(Exception):
    """A reranker could not do its work in time: the order stays as it was."""


@dataclass(frozen=True)
class Question:
    """What is looked for; `vector` is its vector for a reranker that wants vectors, None if there is none."""

    text: str
    vector: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Candidate:
    """A document that a search found; `score` is the search's own, larger is better.

    `vector` is None unless the reranker wants vectors.
    """

    text: str
    title: str = ""
    score: float = 0.0
    vector: npt.NDArray[np.float32] | None = None


class BaseReranker(ABC):
    """Gives the candidates of one search new scores.

    `wants_vectors` says whether it is to be given the vectors of question and candidates. An instance lives
    as long as its process and serves all threads. Making one must be cheap, since system checks do so.
    """

    wants_vectors: bool = False

    @abstractmethod
    def score(self, question: Question, candidates: Sequence[Candidate], seconds: float) -> npt.ArrayLike:
        """Return a number for each candidate, in their order; a larger one is better.

        `candidates` holds one or more, the best first. Raise RerankError when it fails, or when it cannot be
        done within `seconds`.
        """

    def check_requirements(self) -> None:
        """Raise RerankError saying what is missing. Cheap: loads and asks nothing."""
        return

    def rerank(self, question: Question, candidates: Sequence[Candidate], seconds: float) -> list[float]:
        """Return the scores of `score`, checked: finite, and as many as there are candidates.

        Raises RerankError.
        """
        if not candidates:
            return []
        result = self.score(question, candidates, seconds)
        try:
            scores = np.asarray(result, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise RerankError(f"{self!r} gave something else than numbers.") from error
        if scores.shape != (len(candidates),):
            raise RerankError(f"{self!r} gave scores of shape {scores.shape} for {len(candidates)} texts.")
        if not np.isfinite(scores).all():
            raise RerankError(f"{self!r} gave a score that is NaN or infinite.")
        return scores.tolist()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"
