"""LightReranker: a second look without a model, from what the search has at hand."""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from apps.search.options.values import is_number, require_int

from .reranker import BaseReranker, Candidate, Question

WORD = re.compile(r"\w+")

type Numbers = npt.NDArray[np.float64]


class LightReranker(BaseReranker):
    """Adds to the search's own score, scaled to 0 to 1, what four signals say, each 0 to 1 by itself.

    - `feedback`: nearness to the question moved towards the `top` best candidates, by half their mean
      (Rocchio, "Relevance feedback in information retrieval", 1971, with vectors for words).
    - `proximity`: how close together the words of the question stand in the text.
    - `phrase`: how long a part of the question stands in it word for word.
    - `title`: how many of the question's and the title's words are the same.

    Each option is the weight of the signal; 0 leaves it out.
    """

    wants_vectors = True

    def __init__(
        self,
        *,
        feedback: float = 0.25,
        proximity: float = 0.3,
        phrase: float = 0.0,
        title: float = 0.2,
        top: int = 5,
    ) -> None:
        """Check and keep the options. Raises ValueError naming the option at fault."""
        self.weights = {"feedback": feedback, "proximity": proximity, "phrase": phrase, "title": title}
        for name, weight in self.weights.items():
            if not is_number(weight) or not 0 <= weight < float("inf"):
                raise ValueError(f"{name} must be a finite number of 0 or more, not {weight!r}.")
        self.top = require_int("top", top, minimum=1)
        self.wants_vectors = feedback > 0

    def score(self, question: Question, candidates: Sequence[Candidate], seconds: float) -> npt.ArrayLike:
        words = list(dict.fromkeys(_split(question.text)))
        texts = [_split(candidate.text) for candidate in candidates]
        weights = self.weights
        scores = _to_unit(np.array([candidate.score for candidate in candidates], dtype=np.float64))
        if weights["feedback"] and question.vector is not None:
            scores += weights["feedback"] * _to_unit(self._feed_back(question.vector, candidates))
        scores += weights["proximity"] * np.array([get_proximity(words, text) for text in texts])
        scores += weights["phrase"] * np.array([get_phrase(words, text) for text in texts])
        titles = [get_likeness(words, _split(candidate.title)) for candidate in candidates]
        return scores + weights["title"] * np.array(titles)

    def _feed_back(self, vector: npt.NDArray[np.float32], candidates: Sequence[Candidate]) -> Numbers:
        rows = [vector * 0 if each.vector is None else each.vector for each in candidates]
        vectors = np.asarray(rows, dtype=np.float64)
        moved = vector + vectors[: self.top].mean(axis=0) / 2
        return vectors @ moved


def get_proximity(words: Sequence[str], text: Sequence[str]) -> float:
    """Return the share of the words in a text, times how densely they stand where they are nearest.

    1: all of them, side by side; 0: fewer than two of them.
    """
    wanted = set(words)
    places = [(at, word) for at, word in enumerate(text) if word in wanted]
    present = {word for _, word in places}
    if len(present) < 2:
        return 0.0
    counts: dict[str, int] = {}
    first, shortest = 0, len(text)
    for at, word in places:  # the shortest stretch that has all that are present
        counts[word] = counts.get(word, 0) + 1
        while len(counts) == len(present):
            begin, leaving = places[first]
            shortest = min(shortest, at - begin + 1)
            counts[leaving] -= 1
            if not counts[leaving]:
                del counts[leaving]
            first += 1
    return len(present) / len(words) * len(present) / shortest


def get_phrase(words: Sequence[str], text: Sequence[str]) -> float:
    """Return the longest run of the words that stands in the text in their order: a share, 0 for one word."""
    follows = {word: at for at, word in enumerate(words)}
    longest, run, before = 0, 0, -2
    for word in text:
        at = follows.get(word, -2)
        run = run + 1 if at == before + 1 and at > 0 else int(at >= 0)
        longest, before = max(longest, run), at
    return longest / len(words) if longest > 1 else 0.0


def get_likeness(words: Sequence[str], title: Sequence[str]) -> float:
    """Return twice the number of shared words, divided by that of both (Dice's coefficient)."""
    left, right = set(words), set(title)
    return 2 * len(left & right) / (len(left) + len(right)) if left and right else 0.0


def _split(text: str) -> list[str]:
    return WORD.findall(text.casefold())


def _to_unit(numbers: Numbers) -> Numbers:
    spread = np.ptp(numbers)
    return (numbers - numbers.min()) / spread if spread else np.zeros_like(numbers)
