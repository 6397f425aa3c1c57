"""From the parts of a text, each with its own heading, to sections with all the headings above them."""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

LONGEST_HEADING = 300  # characters; a longer one is a paragraph that only looks like a heading
SENTENCE_ENDS = tuple(".!?:;,\u2026\u3002\uff01\uff1f\u061f\u0964")


class Part(NamedTuple):
    """A heading and the text below it up to the next heading.

    The level is 1 to 6, or 0 for the title of a page. The text before the first heading has the heading "".
    """

    level: int
    heading: str
    text: str


_BLANK_LINE = re.compile(r"[ \t]*+(?:\r?\n[ \t]*+\r?\n|\r?\n?\Z)")
_TITLE = -1  # the level of a title that stands even above a page's
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
        # A title that the text repeats as its first heading counts once.
        headings = tuple(heading for heading, _ in groupby(above.heading for above in path))
        yield Section(headings, part.text, is_leaf=following.level <= part.level)


def _with_title(parts: Sequence[Part]) -> Sequence[Part]:
    """Make a title of a first line that stands alone, as Indexed puts an object's title before its text."""
    before = parts[0].text.lstrip()
    line = before.partition("\n")[0].strip()
    rest = before[len(line) :]
    is_title = line[:1].isalnum() and len(line) <= LONGEST_HEADING and not line.endswith(SENTENCE_ENDS)
    if len(parts) > 1 and not parts[0].heading and is_title and _BLANK_LINE.match(rest):
        return [Part(_TITLE, line, rest), *parts[1:]]
    return parts
