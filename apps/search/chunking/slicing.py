"""Chunkers that count words or characters."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self, get_args

from apps.search.chunking.chunker import Chunker, Span
from apps.search.chunking.layout import (
    LONGEST_WORD,
    PARAGRAPHS,
    SENTENCES,
    WORDS,
    Layout,
    measure_characters,
    measure_words,
)

Unit = Literal["words", "characters"]


class Slicing(Chunker):
    """A chunker whose chunks are slices of the text: line breaks and indentation stay as written."""

    def chunk(self, text: str) -> list[str]:
        """Return the chunks in the order of the text; none is blank, or above the limit with its overlap."""
        return [text[span.start : span.end] for span in self.spans(text)]

    @abstractmethod
    def spans(self, text: str) -> Iterator[Span]:
        """Yield where the chunks begin and end and where the new text of each begins."""


def refuse(chunker: object, option: str, allowed: str) -> ValueError:
    """Return the error for an option of a chunker: it names option, value and what is allowed."""
    value = getattr(chunker, option)
    return ValueError(f"{type(chunker).__name__}: {option} must be {allowed}, not {value!r}.")


@dataclass(frozen=True)
class _UnitChunker(Slicing):
    limit: int = 180
    overlap: int = 30
    unit: Unit = "words"

    _coarsest: ClassVar[int]

    def __post_init__(self) -> None:
        if self.unit not in get_args(Unit):
            raise refuse(self, "unit", "one of " + ", ".join(map(repr, get_args(Unit))))
        if type(self.limit) is not int or self.limit < 1:
            raise refuse(self, "limit", "a whole number of at least 1")
        if type(self.overlap) is not int or not 0 <= self.overlap < self.limit:
            raise refuse(self, "overlap", f"a whole number from 0 to {self.limit - 1}, less than limit")

    def spans(self, text: str) -> Iterator[Span]:
        if self.unit == "words":
            layout = Layout(text, self.limit, LONGEST_WORD, self._coarsest, measure_words)
        else:
            longest = max(1, min(LONGEST_WORD, self.limit // 4))
            layout = Layout(text, self.limit, longest, self._coarsest, measure_characters)
        fresh = 0
        while fresh < layout.count:
            first = layout.overlap_start(fresh, self.overlap)
            end = layout.cut(first, fresh)
            yield layout.span(first, fresh, end)
            fresh = end

    def make_room(self, lead: str) -> Self | None:
        limit = self.limit - (len(lead) if self.unit == "characters" else len(lead.split()))
        if limit < self.limit / 2:
            return None
        return replace(self, limit=limit, overlap=min(self.overlap, limit - 1))


@dataclass(frozen=True)
class SimpleChunker(_UnitChunker):
    """Fill every chunk with whole words up to the limit.

    `limit` and `overlap` are counted in the `unit`, "words" or "characters". A chunk repeats at most
    `overlap` of the end of the one before it, always whole words. A word is a run of characters without white
    space; one of more than 50 characters counts as several, and is cut only if it is above the limit by
    itself. Each ideograph counts as a word, and so does each character of other scripts without spaces, such
    as Thai and Khmer. The default fits models that read 256 tokens.

    Raises ValueError for an option that is out of its range.
    """

    _coarsest: ClassVar[int] = WORDS


@dataclass(frozen=True)
class SentenceChunker(_UnitChunker):
    """Fill every chunk with whole sentences up to the limit; options as for SimpleChunker.

    A sentence that is above the limit by itself is cut between words. The overlap begins with a sentence
    where one fits into it, and shrinks where it would keep the next sentence from staying whole.
    """

    _coarsest: ClassVar[int] = SENTENCES


@dataclass(frozen=True)
class ParagraphChunker(_UnitChunker):
    """Fill every chunk with whole paragraphs up to the limit; options as for SimpleChunker.

    Paragraphs are parted by a blank line. One that is above the limit by itself is cut between its
    sentences, and a sentence above the limit between words. The overlap begins with a sentence where one
    fits into it, and shrinks where it would keep the next paragraph from staying whole.
    """

    _coarsest: ClassVar[int] = PARAGRAPHS
