"""Parts of a text, each with the heading above it, into sections that know all headings they stand below."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

LONGEST_HEADING = 300  # characters; what is longer is a paragraph that only looks like a heading
SENTENCE_ENDS = tuple(".!?:;,\u2026\u3002\uff01\uff1f\u061f\u0964")


class Part(NamedTuple):
    """A heading and the text below it up to the next heading.

    The level is 1 to 6, or 0 for what a page names as its title. What stands before the first heading has
    none: its `heading` is "".
    """

    level: int
    heading: str
    text: str


_BLANK_LINE = re.compile(r"[ \t]*+(?:\r?\n[ \t]*+\r?\n|\r?\n?\Z)")
_TITLE = -1  # the level of what stands above even a page's title
_END = Part(_TITLE, "", "")


class Section(NamedTuple):
    """The text below the headings, outermost first; `is_leaf` when no other section stands below them all."""

    headings: tuple[str, ...]
    text: str
    is_leaf: bool


def nest(parts: Sequence[Part]) -> Iterator[Section]:
    """Yield the sections of the parts, in their order."""
    path: list[Part] = []
    for part, following in pairwise([*_with_title(parts), _END]):
        if part.heading:
            path = [above for above in path if above.level < part.level] + [part]
        is_leaf = following.level <= part.level
        yield Section(tuple(_names(path)), part.text, is_leaf)


def _with_title(parts: Sequence[Part]) -> Sequence[Part]:
    """Take a first line that stands alone for the title: so does Indexed put an object's before its text."""
    before = parts[0].text.lstrip()
    line = before.partition("\n")[0].strip()
    rest = before[len(line) :]
    if len(parts) > 1 and not parts[0].heading and _is_title(line) and _BLANK_LINE.match(rest):
        return [Part(_TITLE, line, rest), *parts[1:]]
    return parts


def _is_title(line: str) -> bool:
    return line[:1].isalnum() and len(line) <= LONGEST_HEADING and not line.endswith(SENTENCE_ENDS)


def _names(path: Sequence[Part]) -> Iterator[str]:
    """A title that the text repeats as its first heading counts once."""
    before = ""
    for part in path:
        if part.heading != before:
            yield part.heading
        before = part.heading
