"""The parts of a Markdown text, by its headings, as markdown-it reads CommonMark."""

import re
from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

from apps.search.chunking.sections import LONGEST_HEADING, Part

_LINE = re.compile(r"[^\r\n]*+(?:\r\n|\r|\n)|[^\r\n]++\Z")
_ANCHOR = re.compile(r"[ \t]*\{#[\w-]{1,200}\}$")  # such as {#name}, in many dialects

_blocks = MarkdownIt("commonmark").disable("inline")  # inline markup is read in headings only
_inline = MarkdownIt("commonmark")


class _Heading(NamedTuple):
    level: int
    name: str
    start: int
    end: int


def split_markdown(text: str, deepest: int) -> list[Part]:
    """Return the parts of a Markdown text; headings below the level `deepest` count as text.

    The first part is the text before the first heading, perhaps empty. Headings within lists and quotations
    count as text, and so does a line above a single `-` or `=`, which is seldom meant as a heading.
    """
    parts: list[Part] = []
    level, name, start = 0, "", 0
    for heading in _find_headings(text):
        if heading.level <= deepest:
            parts.append(Part(level, name, text[start : heading.start]))
            level, name, start = heading.level, heading.name, heading.end
    return [*parts, Part(level, name, text[start:])]


def remove_fenced(text: str) -> str:
    """Return the text without its fenced code."""
    offsets = _list_offsets(text)
    pieces, done = [], 0
    for token in _blocks.parse(text):
        if token.type == "fence" and token.map:
            pieces.append(text[done : offsets[token.map[0]]])
            done = offsets[token.map[1]]
    return "".join([*pieces, text[done:]])


def _find_headings(text: str) -> Iterator[_Heading]:
    tokens, offsets = _blocks.parse(text), _list_offsets(text)
    for opening, content in pairwise(tokens):
        if opening.type != "heading_open" or opening.level or not opening.map:
            continue
        start, end = (offsets[line] for line in opening.map)
        words = _ANCHOR.sub("", content.content)
        if len(words) > LONGEST_HEADING or text[:end].rstrip().endswith(("\n-", "\n=")):
            continue
        if name := " ".join(_read_words(_inline.parseInline(words)).split()):
            yield _Heading(int(opening.tag[1:]), name, start, end)


def _read_words(tokens: list[Token]) -> str:
    """Return the words of inline tokens without their markup; of an image, its description."""
    return "".join(
        _read_words(token.children)
        if token.children
        else " "
        if token.type in ("softbreak", "hardbreak")
        else ""
        if token.type == "html_inline"
        else token.content
        for token in tokens
    )


def _list_offsets(text: str) -> list[int]:
    """Return where each line begins, and where the text ends."""
    return [0, *accumulate(map(len, _LINE.findall(text)))]
