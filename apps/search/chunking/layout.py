"""A text as atoms, with the bounds of its words, sentences and paragraphs, and how they fill chunks.

Cutting works on atoms, the smallest pieces that are never cut: a word, or a part of a very long one. The
bounds of words, sentences and paragraphs are lists of atom numbers, so that every question the packing asks
is one binary search and a text is cut in time linear in its length.
"""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from apps.search.chunking.chunker import Span
from apps.search.chunking.graphemes import MARKS, find_break

LONGEST_WORD = 50  # characters; English dictionaries end at 45. A longer run counts as several words
DEEPEST_INDENT = 40  # characters of indentation worth keeping before the first line of a chunk

# Chinese and Japanese write no spaces, so each of their characters counts as a word (as in UAX #29).
_IDEOGRAPHS = "\u3001-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff01-\uff9f\U00020000-\U0003ffff"
_VOICING_OR_VARIANT = "\u3099\u309a\uff9e\uff9f\ufe00-\ufe0f\U000e0100-\U000e01ef"  # belong to the one before
# Nor do Thai, Lao, Burmese, Khmer, Tibetan and others. Where their words end only dictionaries know, so each
# of their characters counts, with the vowels, tones and subscripts that a reader sees as one with it.
_UNSPACED = (
    "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf\u1b00-\u1b7f"
    "\ua980-\ua9df\ua9e0-\ua9ff\uaa60-\uaa7f"
)
_MARKS_OF_UNSPACED = "".join(
    char
    for first, last in re.findall("(.)-(.)", _UNSPACED)
    for char in map(chr, range(ord(first), ord(last) + 1))
    if unicodedata.category(char) in MARKS
)
_VOWELS_BEFORE = "\u0e40-\u0e44\u0ec0-\u0ec4"
_AFTER = f"{_MARKS_OF_UNSPACED}\u0e30\u0e32\u0e33\u0e45\u0e46\u0eb0\u0eb2\u0eb3\u0ec6\u200b"
_STACKERS = "\u1039\u17d2\u1a60"  # put the next consonant below the one before
_WORD = re.compile(
    rf"[{_IDEOGRAPHS}][{_VOICING_OR_VARIANT}]*"
    rf"|[{_VOWELS_BEFORE}]?[{_UNSPACED}](?:[{_STACKERS}][{_UNSPACED}]|[{_AFTER}])*"
    rf"|[^\s{_IDEOGRAPHS}{_UNSPACED}]+"
)

# Quantifiers are bounded or atomic: a megabyte of full stops or blanks must not take quadratic time.
_PARAGRAPH_END = re.compile(r"\u2029|(?>\r\n|\r|\n)[ \t]*+[\r\n]")
_SENTENCE_END = re.compile(r"(?<=[.!?\u2026\u061f\u0964])[\"'\u201d\u2019\u00bb)\]]{0,3}(?=\s)")
_IDEOGRAPHIC_SENTENCE_END = re.compile(
    r"(?<=[\u3002\uff01\uff1f\uff61\u0f0d\u104b\u17d4\u17d5])[\u300d\u300f\u201d\u2019\uff09]{0,3}+"
    r"(?![\u3002\uff01\uff1f\uff61\u0f0d\u104b\u17d4\u17d5])"
)
# Lines of code, list items and headings seldom end with a full stop, yet each stands for itself.
_LINE_OF_ITS_OWN = re.compile(r"(?<=\n)(?= {4}|\t|[-*+\u2022] |\d{1,3}[.)] |#{1,6} |>>> |\.\.\. |```)")
_ABBREVIATIONS = frozenset(
    ["dr.", "mr.", "mrs.", "ms.", "prof.", "st.", "vs.", "cf.", "fig.", "e.g.", "i.e."]
)
_INITIAL_OR_NUMBER = re.compile(r"[^\W\d]\.|\d{1,3}\.")  # "J. Smith", "2. The second item"

ATOMS, WORDS, SENTENCES, PARAGRAPHS = range(4)


class Measure(NamedTuple):
    """Sizes: the atoms i to j-1 of a text measure ahead[j - 1] - behind[i]."""

    behind: Sequence[int]
    ahead: Sequence[int]
    counts_space: bool  # whether the indentation of a chunk's first line counts


class Measuring(Protocol):
    """Makes the measure of the atoms of a text."""

    def __call__(self, starts: Sequence[int], ends: Sequence[int]) -> Measure:
        """Return the measure of the atoms that begin and end at these offsets."""


def measure_words(starts: Sequence[int], ends: Sequence[int]) -> Measure:
    """Count atoms."""
    return Measure(range(len(starts)), range(1, len(starts) + 1), counts_space=False)


def measure_characters(starts: Sequence[int], ends: Sequence[int]) -> Measure:
    """Count characters, white space between the atoms included."""
    return Measure(starts, ends, counts_space=True)


class Layout:
    """A text as measured atoms, with the bounds of all units up to the coarsest level.

    `longest` is the length of an atom in characters, `limit` what a chunk may measure.
    """

    def __init__(self, text: str, limit: int, longest: int, coarsest: int, measuring: Measuring) -> None:
        self.text, self.limit = text, limit
        self.starts, self.ends, words = _atoms(text, longest)
        self.count = len(self.starts)
        self.behind, self.ahead, self.counts_space = measuring(self.starts, self.ends)
        self.bounds: list[Sequence[int]] = [range(self.count + 1), [*words, self.count]]
        if coarsest >= SENTENCES:
            paragraphs = {0, self.count, *self._starts_after(_PARAGRAPH_END)}
            self.bounds.append(sorted({*paragraphs, *self._sentences()}))
        if coarsest >= PARAGRAPHS:
            self.bounds.append(sorted(paragraphs))

    def _starts_after(self, pattern: re.Pattern[str]) -> Iterator[int]:
        return (bisect_left(self.starts, match.end()) for match in pattern.finditer(self.text))

    def _sentences(self) -> Iterator[int]:
        yield from self._starts_after(_LINE_OF_ITS_OWN)
        yield from self._starts_after(_IDEOGRAPHIC_SENTENCE_END)
        for atom in self._starts_after(_SENTENCE_END):
            if 0 < atom < self.count and self._ends_sentence(atom - 1):
                yield atom

    def _ends_sentence(self, atom: int) -> bool:
        words = self.bounds[WORDS]
        first = words[bisect_right(words, atom) - 1]
        word = self.text[self.starts[first] : self.ends[atom]].lstrip("([\"'").lower()
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
        """Return the first atom of the chunk whose new text begins with the atom `fresh`."""
        if fresh == 0 or overlap == 0:
            return fresh
        # What follows stays whole first; only the room it leaves is the overlap's.
        leaves_room = self._earliest_start(self._whole_end(fresh), self.limit)
        earliest = max(leaves_room, self._earliest_start(fresh, overlap))
        for bounds in reversed(self.bounds[WORDS : SENTENCES + 1]):
            start = bounds[bisect_left(bounds, earliest)]
            if start < fresh:
                return start
        return fresh

    def cut(self, first: int, fresh: int) -> int:
        """Return the atom after the chunk that begins with `first` and whose new text begins with `fresh`."""
        furthest = max(bisect_right(self.ahead, self.behind[first] + self.limit), fresh + 1)
        if furthest == self.count:
            return furthest
        for level in reversed(range(WORDS, len(self.bounds))):
            bounds = self.bounds[level]
            end = bounds[bisect_right(bounds, furthest) - 1]
            # A unit that no chunk can hold is cut in any case: then its beginning fills this chunk.
            if end > fresh and self._fits(end, self._unit_end(end, level)):
                return end
        return furthest

    def span(self, first: int, fresh: int, end: int, *, indented: bool = True) -> Span:
        """Return the offsets of a chunk, with the indentation of its first line if it has several."""
        start, stop = self.starts[first], self.ends[end - 1]
        if indented:
            start = self._indentation(start, stop)
        return Span(start, start if fresh == first else self.starts[fresh], stop)

    def _indentation(self, start: int, stop: int) -> int:
        indented = len(self.text[max(0, start - DEEPEST_INDENT) : start].rstrip(" \t"))
        line = max(0, start - DEEPEST_INDENT) + indented
        begins_line = line == 0 or self.text[line - 1] in "\r\n"
        within = not self.counts_space or stop - line <= self.limit
        return line if begins_line and within and "\n" in self.text[start:stop] else start


def _atoms(text: str, longest: int) -> tuple[list[int], list[int], list[int]]:
    starts: list[int] = []
    ends: list[int] = []
    words: list[int] = []
    for match in _WORD.finditer(text):
        start, end = match.span()
        words.append(len(starts))
        while end - start > longest:
            starts.append(start)
            start = find_break(text, start, start + longest)
            ends.append(start)
        starts.append(start)
        ends.append(end)
    return starts, ends, words
