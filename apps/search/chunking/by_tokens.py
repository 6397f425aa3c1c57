"""TokenChunker: chunks counted in the tokens of the embedder that will read them.

A text is tokenized once and cut by where its tokens lie. A slice of it may have other tokens than it had
within the text (byte pair encoding merges across words), so every chunk is counted again and cut shorter
where it has too many.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from apps.search.chunking.chunker import Chunk, Chunker, Span, Tokenizer
from apps.search.chunking.layout import LONGEST_WORD, PARAGRAPHS, SENTENCES, WORDS, Layout, Measure
from apps.search.chunking.slicing import Slicing, refuse

Keep = Literal["words", "sentences", "paragraphs"]

LARGEST_DEFAULT = 512  # tokens: one vector for more than a page or two says little about any part of it
SMALLEST_LIMIT = 16  # tokens; a character may be four of them
PATIENCE = 4  # how often a chunk is cut by as many tokens as it has too many, before it is halved

LEVELS = {"words": WORDS, "sentences": SENTENCES, "paragraphs": PARAGRAPHS}


@dataclass(frozen=True)
class TokenChunker(Chunker):
    """Fill every chunk up to a limit in tokens, counted by the tokenizer of the space's embedder.

    - `limit`: tokens of a chunk with its overlap, 16 to what the embedder reads; None for as many as it
      reads (its prefix and its own marks taken off), at most 512.
    - `overlap`: the most tokens that a chunk repeats of the end of the one before it, always whole words.
    - `keep`: what stays whole where it fits: "paragraphs", "sentences" or "words".

    An embedder without a tokenizer estimates: four bytes of UTF-8 are a token. Raises ValueError for an
    option that is out of its range.
    """

    limit: int | None = None
    overlap: int = 0
    keep: Keep = "paragraphs"

    def __post_init__(self) -> None:
        if self.keep not in get_args(Keep):
            raise refuse(self, "keep", "one of " + ", ".join(map(repr, get_args(Keep))))
        if self.limit is not None and (type(self.limit) is not int or self.limit < SMALLEST_LIMIT):
            raise refuse(self, "limit", f"None or a whole number of at least {SMALLEST_LIMIT}")
        self._check_overlap(self.limit)

    def chunk(self, text: str) -> list[str | Chunk]:
        """Raise ValueError: only the chunker that `fit` returns knows what a token is."""
        raise ValueError("TokenChunker: there is no tokenizer yet; cut with what fit(embedder) returns.")

    def fit(self, tokenizer: Tokenizer) -> "FittedTokenChunker":
        """Return the chunker that counts with this tokenizer.

        Raises ValueError for a limit above what the embedder reads: the rest would not be found.
        """
        reads = tokenizer.token_limit
        if self.limit is not None and reads is not None and self.limit > reads:
            raise refuse(self, "limit", f"at most {reads}, which is what the embedder reads")
        limit = self.limit or min(LARGEST_DEFAULT, reads or LARGEST_DEFAULT)
        self._check_overlap(limit)
        return FittedTokenChunker(tokenizer, limit, self.overlap, self.keep)

    def _check_overlap(self, limit: int | None) -> None:
        below = LARGEST_DEFAULT if limit is None else limit
        if type(self.overlap) is not int or not 0 <= self.overlap < below:
            raise refuse(self, "overlap", f"a whole number from 0 to {below - 1}, less than limit")


@dataclass(frozen=True)
class FittedTokenChunker(Slicing):
    """A TokenChunker with its tokenizer; `lead` is the text that will be put before each chunk.

    A chunk is above the limit only where a tokenizer makes more than four tokens of each character.
    """

    tokenizer: Tokenizer
    limit: int
    overlap: int
    keep: Keep
    lead: str = ""

    def spans(self, text: str) -> Iterator[Span]:
        cutter = _Cutter(self, text)
        fresh = 0
        while fresh < cutter.layout.count:
            span, fresh = cutter.cut(fresh)
            yield span

    def make_room(self, lead: str) -> "FittedTokenChunker | None":
        if self.tokenizer.count_tokens(lead) > self.limit // 2:
            return None
        return replace(self, lead=lead)


class _Cutter:
    def __init__(self, chunker: FittedTokenChunker, text: str) -> None:
        self.chunker, self.text = chunker, text
        self.room = chunker.limit - (chunker.tokenizer.count_tokens(chunker.lead) if chunker.lead else 0)
        # So short that an atom fits into a chunk, even if each of its bytes is a token.
        longest = max(1, min(LONGEST_WORD, self.room // 8))
        measuring = partial(_measure_tokens, chunker.tokenizer.find_tokens(text))
        self.layout = Layout(text, self.room, longest, LEVELS[chunker.keep], measuring)

    def cut(self, fresh: int) -> tuple[Span, int]:
        """Return the chunk whose new text begins with the atom `fresh`, and the atom after it."""
        room = self.room
        for _ in range(PATIENCE):
            self.layout.limit = max(1, room)
            first = self._overlap_start(fresh)
            end = self.layout.cut(first, fresh)
            span, excess = self._span(first, fresh, end)
            if excess <= 0:
                return span, end
            room -= excess
        # Where the tokens of the whole text say little about those of a part.
        while excess > 0 and end - fresh > 1:
            end = fresh + (end - fresh) // 2
            span, excess = self._span(fresh, fresh, end)
        return span, end

    def _overlap_start(self, fresh: int) -> int:
        overlap = self.chunker.overlap
        while (first := self.layout.overlap_start(fresh, overlap)) < fresh:
            repeated = self.text[self.layout.starts[first] : self.layout.ends[fresh - 1]]
            excess = self._count(repeated) - self.chunker.overlap
            if excess <= 0:
                return first
            overlap = max(0, overlap - excess)
        return fresh

    def _span(self, first: int, fresh: int, end: int) -> tuple[Span, int]:
        """Return the chunk, not indented if that does not fit, and by how many tokens it is too long."""
        spans = {self.layout.span(first, fresh, end, indented=indented): None for indented in (True, False)}
        for span in spans:
            excess = self._count(self.chunker.lead + self.text[span.start : span.end]) - self.chunker.limit
            if excess <= 0:
                break
        return span, excess

    def _count(self, text: str) -> int:
        return self.chunker.tokenizer.count_tokens(text)


def _measure_tokens(tokens: Sequence[tuple[int, int]], starts: Sequence[int], ends: Sequence[int]) -> Measure:
    """Measure atoms by the tokens that lie within them or touch them."""
    token_starts, token_ends = np.sort(_split_long(tokens), axis=0).T
    behind = np.searchsorted(token_ends, starts, side="right")
    ahead = np.searchsorted(token_starts, ends, side="left")
    return Measure(behind.tolist(), ahead.tolist(), counts_space=False)


def _split_long(tokens: Sequence[tuple[int, int]]) -> npt.NDArray[np.int64]:
    """Return the tokens, shape (n, 2). A very long token, such as an unknown word, becomes several."""
    offsets = np.array(tokens, dtype=np.int64).reshape(-1, 2)
    too_long = offsets[:, 1] - offsets[:, 0] > LONGEST_WORD
    parts = [
        (first, min(first + LONGEST_WORD, end))
        for start, end in offsets[too_long].tolist()
        for first in range(start, end, LONGEST_WORD)
    ]
    return np.concatenate([offsets[~too_long], np.array(parts, dtype=np.int64).reshape(-1, 2)])
