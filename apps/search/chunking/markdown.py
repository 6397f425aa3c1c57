"""The parts of a Markdown text, by its headings (CommonMark 0.31, sections 4.2, 4.3 and 4.5).

Besides headings, it reads only what looks like them: paragraphs, fenced code, lists and quotations.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from apps.search.chunking.sections import LONGEST_HEADING, Part

_LINE = re.compile(r"[^\r\n]*+(?:\r\n|\r|\n|\Z)")
_ATX = re.compile(r" {0,3}(#{1,6})(?=[ \t]|$)")
_UNDERLINE = re.compile(r" {0,3}(={2,}+|-{2,}+)[ \t]*+$")  # one character would do, but is seldom meant so
_MARKER = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])(?:[ \t]+|$)")
_FENCE = re.compile(r"[ \t]*(?P<fence>`{3,}+(?=[^`]*$)|~{3,}+)")
_RULE = re.compile(r" {0,3}(?:(?:\*[ \t]*+){3,}|(?:_[ \t]*+){3,}|(?:-[ \t]*+){3,})$")
_NO_PARAGRAPH = re.compile(r" {4}|\t| {0,3}>")

# In a heading: an image, a link, code, emphasis, an anchor such as {#name}, an escaped character.
_IMAGE_OR_LINK = re.compile(r"!?\[([^\[\]]{0,300})\]\([^()\s]{0,2000}\)")
_ANCHOR = re.compile(r"[ \t]*\{#[\w-]{1,200}\}$")
_MARKUP = re.compile(r"`+|\*+|(?<!\w)_{1,3}(?=\w)|(?<=\w)_{1,3}(?!\w)|<[^<>]{1,300}>|\\(?=[!-/:-@\[-`{-~])")


class _Heading(NamedTuple):
    level: int
    name: str
    start: int
    end: int


def split_markdown(text: str, deepest: int) -> list[Part]:
    """Return the parts of a Markdown text; headings below the level `deepest` count as text.

    The first part is the text before the first heading, perhaps empty. Takes time linear in the text.
    """
    parts: list[Part] = []
    level, name, start = 0, "", 0
    for heading in _Reader(text).headings():
        if heading.level <= deepest:
            parts.append(Part(level, name, text[start : heading.start]))
            level, name, start = heading.level, heading.name, heading.end
    return [*parts, Part(level, name, text[start:])]


def remove_fenced(text: str) -> str:
    """Return the text without its fenced code."""
    reader = _Reader(text)
    return "".join(text[start:end] for start, end in reader.lines() if not reader.fence)


class _Reader:
    """Reads line by line, and knows whether a line is within fenced code or a paragraph."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.fence = ""  # the one that is open
        self._in_list = False  # whether it was opened in an item of a list, with which it ends
        self._paragraph = -1  # where the one begins that the next line may underline

    def lines(self) -> Iterator[tuple[int, int]]:
        """Yield the offsets of each line, with `fence` telling whether it is code."""
        for match in _LINE.finditer(self.text):
            if match.group():
                line = match.group().rstrip("\r\n")
                closes = self._follow_fence(line)
                yield match.span()
                self.fence = "" if closes else self.fence

    def headings(self) -> Iterator[_Heading]:
        """Yield the headings in their order."""
        for start, end in self.lines():
            line = self.text[start:end].rstrip("\r\n")
            if self.fence:
                self._paragraph = -1
            elif (heading := self._read_atx(line, start, end)) or (
                heading := self._read_setext(line, start, end)
            ):
                self._paragraph = -1
                yield heading
            else:
                self._follow_paragraph(line, start)

    def _follow_fence(self, line: str) -> bool:
        """Open a fence; return whether this line closes the one that is open."""
        if self.fence and self._in_list and line.strip() and not line.startswith(("  ", "\t")):
            self.fence = ""
        if self.fence:
            stripped = line.strip()
            return len(stripped) >= len(self.fence) and not stripped.strip(self.fence[0])
        marker = _MARKER.match(line)
        if opened := _FENCE.match(line, marker.end() if marker else 0):
            self.fence = opened["fence"]
            self._in_list = bool(marker) or line.startswith(("    ", "\t"))
        return False

    def _follow_paragraph(self, line: str, start: int) -> None:
        if not line.strip() or _RULE.match(line):
            self._paragraph = -1
        elif self._paragraph == -1 and not (_MARKER.match(line) or _NO_PARAGRAPH.match(line)):
            self._paragraph = start
        elif _MARKER.match(line):
            self._paragraph = -1

    def _read_atx(self, line: str, start: int, end: int) -> _Heading | None:
        match = _ATX.match(line)
        if match is None:
            return None
        words = line[match.end() :].strip()
        without = words.rstrip("#")  # a closing run of # counts only after white space
        if without != without.rstrip() or not without:
            words = without.rstrip()
        return _make_heading(len(match[1]), words, start, end)

    def _read_setext(self, line: str, start: int, end: int) -> _Heading | None:
        match = _UNDERLINE.match(line) if self._paragraph >= 0 else None
        if match is None:
            return None
        level = 1 if match[1].startswith("=") else 2
        return _make_heading(level, self.text[self._paragraph : start].strip(), self._paragraph, end)


def _make_heading(level: int, words: str, start: int, end: int) -> _Heading | None:
    if len(words) > LONGEST_HEADING:
        return None
    for _ in range(2):  # a badge is an image within a link
        words = _IMAGE_OR_LINK.sub(r"\1", words)
    name = " ".join(_MARKUP.sub("", _ANCHOR.sub("", words)).split())
    return _Heading(level, name, start, end) if name else None
