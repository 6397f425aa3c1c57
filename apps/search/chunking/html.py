"""The parts of an HTML page, by its headings, as plain text."""

import re
from html.parser import HTMLParser

from apps.search.chunking.sections import LONGEST_HEADING, Part

HEADINGS = {f"h{level}": level for level in range(1, 7)}
HIDDEN = frozenset(["script", "style", "template", "noscript", "svg"])
BLOCKS = frozenset(
    """address article aside blockquote body caption dd details dialog div dl dt fieldset figcaption figure
    footer form h1 h2 h3 h4 h5 h6 head header hr html legend li main nav ol option p pre section select
    summary table tbody tfoot thead title tr ul""".split()  # noqa: SIM905 - forty names read better as text
)

# A "<" whose tag is never closed. Python's parser looks for the end of each again and again, in time
# quadratic in the page (before 3.13.6), so they are escaped before it sees them.
_STRAY = re.compile(
    r"""<(?!!--)(?=[a-zA-Z/?!])"""
    r"""(?![/?!]?(?:[^<>"']|"(?:[^"<]*+|[^"]{0,300})"|'(?:[^'<]*+|[^']{0,300})')*+>)"""
)


def split_html(text: str, deepest: int) -> list[Part]:
    """Return the parts of a page; headings of a deeper level than `deepest` count as text.

    Each block element becomes a paragraph, `<br>` a line break; white space is kept in `<pre>` only.
    Scripts, styles, templates and drawings are left out. `<title>` is the heading of the whole page. Raises
    ValueError for markup that Python's parser refuses.
    """
    reader = _PageReader(deepest)
    try:
        reader.feed(_escape_strays(text))
        reader.close()
    except AssertionError as error:  # how html.parser reports a malformed `<![...` declaration
        raise ValueError(f"{error}") from error
    return reader.finish()


def _escape_strays(page: str) -> str:
    commented = page.rfind("-->") + 1
    page = page[:commented] + page[commented:].replace("<!--", "&lt;!--")
    return _STRAY.sub("&lt;", page)


class _PageReader(HTMLParser):
    def __init__(self, deepest: int) -> None:
        super().__init__(convert_charrefs=True)
        self._levels = {"title": 0} | {tag: level for tag, level in HEADINGS.items() if level <= deepest}
        self._parts: list[Part] = []
        self._above = (0, "")
        self._paragraphs: list[str] = []
        self._pieces: list[str] = []
        self._heading: str | None = None  # the tag of the heading that is open
        self._hidden = self._preformatted = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in HEADINGS or (tag == "title" and not self._hidden):
            self._end_heading()  # one that was never closed
            self._end_block()
            self._heading = tag if tag in self._levels and not self._hidden else None
        elif tag in BLOCKS and self._heading is None:
            self._end_block()
        if tag in HIDDEN:
            self._hidden += 1
        elif tag == "pre":
            self._preformatted += 1
        elif tag == "br":
            self._pieces.append("\n")
        elif tag in ("td", "th"):
            self._pieces.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._heading or tag in HEADINGS:
            self._end_heading()
        if tag in BLOCKS and self._heading is None:
            self._end_block()
        if tag in HIDDEN:
            self._hidden = max(0, self._hidden - 1)
        elif tag == "pre":
            self._preformatted = max(0, self._preformatted - 1)

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._pieces.append(data if self._preformatted else re.sub(r"\s+", " ", data))

    def finish(self) -> list[Part]:
        """Return the parts of what was read; the first is what stands before the first heading."""
        self._end_heading()
        self._end_block()
        self._end_part()
        return self._parts

    def _end_heading(self) -> None:
        name = " ".join("".join(self._pieces).split())
        if self._heading is not None and name and len(name) <= LONGEST_HEADING:
            self._end_part()
            self._above = (self._levels[self._heading], name)
            self._pieces = []
        self._heading = None

    def _end_part(self) -> None:
        self._parts.append(Part(*self._above, "\n\n".join(self._paragraphs)))
        self._paragraphs = []

    def _end_block(self) -> None:
        text = "".join(self._pieces)
        self._pieces = []
        if not self._preformatted:
            text = "\n".join(re.sub(" +", " ", line).strip() for line in text.split("\n")).strip()
        if text.strip():
            self._paragraphs.append(text.strip("\n").rstrip())
