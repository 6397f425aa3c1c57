"""Cut long texts into overlapping chunks that an embedder can take whole.

A chunk is a slice of the original text, so line breaks, paragraphs and indentation stay as they were
written. Cutting works on atoms, the smallest pieces that are never cut: a word, or a part of a very long
one. The bounds of words, sentences and paragraphs are lists of atom numbers, so that every question the
packing asks is one binary search and a text is cut in time linear in its length.
"""

import re
from abc import abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple, Protocol, get_args

Unit = Literal["words", "characters"]

LONGEST_WORD = 50  # characters; English dictionaries end at 45. A longer run counts as several words
DEEPEST_INDENT = 40  # characters of indentation worth keeping before the first line of a chunk

# Chinese and Japanese write no spaces, so each of their characters counts as a word (as in UAX #29).
_IDEOGRAPHS = "\u3001-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff01-\uff9f\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_IDEOGRAPHS}]|[^\s{_IDEOGRAPHS}]+")

# Quantifiers are bounded or atomic: a megabyte of full stops or blanks must not take quadratic time.
_PARAGRAPH_END = re.compile(r"\u2029|(?>\r\n|\r|\n)[ \t]*+[\r\n]")
_SENTENCE_END = re.compile(r"(?<=[.!?\u2026\u061f\u0964])[\"'\u201d\u2019\u00bb)\]]{0,3}(?=\s)")
_IDEOGRAPHIC_SENTENCE_END = re.compile(
    r"(?<=[\u3002\uff01\uff1f\uff61])[\u300d\u300f\u201d\u2019\uff09]{0,3}+(?![\u3002\uff01\uff1f\uff61])"
)
# Lines of code, list items and headings seldom end with a full stop, yet each stands for itself.
_LINE_OF_ITS_OWN = re.compile(r"(?<=\n)(?= {4}|\t|[-*+\u2022] |\d{1,3}[.)] |#{1,6} |>>> |\.\.\. |```)")
_ABBREVIATIONS = frozenset(
    ["dr.", "mr.", "mrs.", "ms.", "prof.", "st.", "vs.", "cf.", "fig.", "e.g.", "i.e."]
)
_INITIAL_OR_NUMBER = re.compile(r"[^\W\d]\.|\d{1,3}\.")  # "J. Smith", "2. The second item"

_ATOMS, _WORDS, _SENTENCES, _PARAGRAPHS = range(4)


class Span(NamedTuple):
    """One chunk as offsets in characters into the text.

    text[start:end] is the chunk; text[start:fresh] repeats the end of the chunk before it.
    """

    start: int
    fresh: int
    end: int


class Chunker(Protocol):
    """Whatever cuts a text into chunks."""

    @abstractmethod
    def chunk(self, text: str) -> list[str]:
        """Return the chunks of the text in its order; a blank text has none."""


@dataclass(frozen=True)
class _SlicingChunker(Chunker):
    limit: int = 180
    overlap: int = 30
    unit: Unit = "words"

    _coarsest: ClassVar[int]

    def __post_init__(self) -> None:
        if self.unit not in get_args(Unit):
            raise self._error("unit", "one of " + ", ".join(map(repr, get_args(Unit))))
        if type(self.limit) is not int or self.limit < 1:
            raise self._error("limit", "a whole number of at least 1")
        if type(self.overlap) is not int or not 0 <= self.overlap < self.limit:
            raise self._error("overlap", f"a whole number from 0 to {self.limit - 1}, less than limit")

    def _error(self, option: str, allowed: str) -> ValueError:
        value = getattr(self, option)
        return ValueError(f"{type(self).__name__}: {option} must be {allowed}, not {value!r}.")

    def chunk(self, text: str) -> list[str]:
        """Return the chunks of the text in its order, none blank, none above the limit with its overlap.

        A blank text has no chunks.
        """
        return [text[span.start : span.end] for span in self.spans(text)]

    def spans(self, text: str) -> Iterator[Span]:
        """Yield where the chunks begin and end and where the new text of each begins."""
        layout = _Layout(text, self.limit, self.unit, self._coarsest)
        fresh = 0
        while fresh < layout.count:
            first = layout.overlap_start(fresh, self.overlap)
            end = layout.cut(first, fresh)
            yield layout.span(first, fresh, end)
            fresh = end


@dataclass(frozen=True)
class SimpleChunker(_SlicingChunker):
    """Fill every chunk with whole words up to the limit.

    limit and overlap are counted in the unit, "words" or "characters". overlap is the most that a chunk
    repeats of the end of the one before it, always whole words. A word is a run of characters without
    white space; one of more than 50 characters counts as several and is cut only if it is above the
    limit by itself. Each ideograph counts as a word. The default fits models that read 256 tokens.

    Raises ValueError for an option that is out of its range.
    """

    _coarsest: ClassVar[int] = _WORDS


@dataclass(frozen=True)
class SentenceChunker(_SlicingChunker):
    """Fill every chunk with whole sentences up to the limit; options as for SimpleChunker.

    A sentence that is above the limit by itself is cut between words. The overlap begins with a sentence
    where one fits into it, and shrinks where it would keep the next sentence from staying whole.
    """

    _coarsest: ClassVar[int] = _SENTENCES


@dataclass(frozen=True)
class ParagraphChunker(_SlicingChunker):
    """Fill every chunk with whole paragraphs up to the limit; options as for SimpleChunker.

    Paragraphs are parted by a blank line. One that is above the limit by itself is cut between its
    sentences, and a sentence above the limit between words. The overlap begins with a sentence where one
    fits into it, and shrinks where it would keep the next paragraph from staying whole.
    """

    _coarsest: ClassVar[int] = _PARAGRAPHS


class _Layout:
    def __init__(self, text: str, limit: int, unit: Unit, coarsest: int) -> None:
        self.text, self.limit, self.unit = text, limit, unit
        longest = LONGEST_WORD if unit == "words" else max(1, min(LONGEST_WORD, limit // 4))
        self.starts, self.ends, words = _atoms(text, longest)
        self.count = len(self.starts)
        # The size of atoms i to j-1 is ahead[j - 1] - behind[i]: atoms counted, or characters between.
        in_words = unit == "words"
        self.behind: Sequence[int] = range(self.count) if in_words else self.starts
        self.ahead: Sequence[int] = range(1, self.count + 1) if in_words else self.ends
        self.bounds: list[Sequence[int]] = [range(self.count + 1), [*words, self.count]]
        if coarsest >= _SENTENCES:
            paragraphs = self._starts_after(_PARAGRAPH_END)
            self.bounds.append(sorted({0, self.count, *paragraphs, *self._sentences()}))
        if coarsest >= _PARAGRAPHS:
            self.bounds.append(sorted({0, self.count, *paragraphs}))

    def _starts_after(self, pattern: re.Pattern[str]) -> Iterator[int]:
        return (bisect_left(self.starts, match.end()) for match in pattern.finditer(self.text))

    def _sentences(self) -> Iterator[int]:
        yield from self._starts_after(_LINE_OF_ITS_OWN)
        yield from self._starts_after(_IDEOGRAPHIC_SENTENCE_END)
        for atom in self._starts_after(_SENTENCE_END):
            if 0 < atom < self.count and self._ends_sentence(atom - 1):
                yield atom

    def _ends_sentence(self, atom: int) -> bool:
        word = self.text[self.starts[atom] : self.ends[atom]].lstrip("([\"'").lower()
        goes_on = self.text[self.starts[atom + 1]].islower()
        return not (goes_on or word in _ABBREVIATIONS or _INITIAL_OR_NUMBER.fullmatch(word))

    def _fits(self, first: int, end: int) -> bool:
        return self.ahead[end - 1] - self.behind[first] <= self.limit

    def _earliest_start(self, end: int, room: int) -> int:
        return bisect_left(self.behind, self.ahead[end - 1] - room)

    def _unit_end(self, first: int, level: int) -> int:
        bounds = self.bounds[level]
        return bounds[bisect_right(bounds, first)]

    def _whole_end(self, first: int) -> int:
        """Return the end of the coarsest unit that begins with this atom and fits into a chunk."""
        for level in reversed(range(len(self.bounds))):
            bounds = self.bounds[level]
            end = self._unit_end(first, level)
            if bounds[bisect_left(bounds, first)] == first and self._fits(first, end):
                return end
        return first + 1

    def overlap_start(self, fresh: int, overlap: int) -> int:
        """Return the first atom of the chunk whose new text begins with the atom fresh."""
        if fresh == 0 or overlap == 0:
            return fresh
        # What follows stays whole first; only the room it leaves is the overlap's.
        leaves_room = self._earliest_start(self._whole_end(fresh), self.limit)
        earliest = max(leaves_room, self._earliest_start(fresh, overlap))
        for bounds in reversed(self.bounds[_WORDS : _SENTENCES + 1]):
            start = bounds[bisect_left(bounds, earliest)]
            if start < fresh:
                return start
        return fresh

    def cut(self, first: int, fresh: int) -> int:
        """Return the atom after the last one of the chunk that begins with first and is new from fresh on."""
        furthest = bisect_right(self.ahead, self.behind[first] + self.limit)
        if furthest == self.count:
            return furthest
        for level in reversed(range(_WORDS, len(self.bounds))):
            bounds = self.bounds[level]
            end = bounds[bisect_right(bounds, furthest) - 1]
            # A unit that no chunk can hold is cut in any case: then its beginning fills this chunk.
            if end > fresh and self._fits(end, self._unit_end(end, level)):
                return end
        return furthest

    def span(self, first: int, fresh: int, end: int) -> Span:
        """Return the offsets of a chunk, with the indentation of its first line if it has several."""
        start, stop = self.starts[first], self.ends[end - 1]
        indented = len(self.text[max(0, start - DEEPEST_INDENT) : start].rstrip(" \t"))
        line = max(0, start - DEEPEST_INDENT) + indented
        begins_line = line == 0 or self.text[line - 1] in "\r\n"
        within = self.unit == "words" or stop - line <= self.limit
        if begins_line and within and "\n" in self.text[start:stop]:
            start = line
        return Span(start, start if fresh == first else self.starts[fresh], stop)


def _atoms(text: str, longest: int) -> tuple[list[int], list[int], list[int]]:
    starts: list[int] = []
    ends: list[int] = []
    words: list[int] = []
    for match in _WORD.finditer(text):
        start, end = match.span()
        words.append(len(starts))
        while end - start > longest:
            starts.append(start)
            start += longest
            ends.append(start)
        starts.append(start)
        ends.append(end)
    return starts, ends, words
