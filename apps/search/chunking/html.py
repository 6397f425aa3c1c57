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
    """Return the parts of a page; headings below the level `deepest` count as text.

    Each block element becomes a paragraph, `<br>` a line break; white space is kept in `<pre>` only. Scripts,
    styles, templates and drawings are left out. `<title>` is the heading of the whole page. Raises ValueError
    for markup that Python's parser refuses.
    """
    reader = _Reader(deepest)
    commented = text.rfind("-->") + 1
    escaped = text[:commented] + text[commented:].replace("<!--", "&lt;!--")
    try:
        reader.feed(_STRAY.sub("&lt;", escaped))
        reader.close()
    except AssertionError as error:  # how html.parser reports a malformed `<![...` declaration
        raise ValueError(f"{error}") from error
    reader.end_heading()  # one that was never closed
    reader.end_paragraph()
    reader.end_part()
    return reader.parts


class _Reader(HTMLParser):
    def __init__(self, deepest: int) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[Part] = []  # the first is what stands before the first heading
        self.paragraphs: list[str] = []  # of the part that is open
        self.pieces: list[str] = []  # of the paragraph that is open
        self.hidden = self.preformatted = 0  # how many such elements are open
        self._levels = {"title": 0} | {tag: level for tag, level in HEADINGS.items() if level <= deepest}
        self._above = (0, "")
        self._heading: str | None = None  # the tag of the heading that is open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in HEADINGS or (tag == "title" and not self.hidden):
            self.end_heading()  # one that was never closed
            self.end_paragraph()
            self._heading = tag if tag in self._levels and not self.hidden else None
        if tag in BLOCKS:
            self.end_paragraph()
        if tag in HIDDEN:
            self.hidden += 1
        elif tag == "pre":
            self.preformatted += 1
        elif tag == "br":
            self.pieces.append("\n")
        elif tag in ("td", "th"):
            self.pieces.append(" ")

    def handle_endtag(self, tag: str) -> None:
        # An end without a start counts for nothing.
        if tag == self._heading or tag in HEADINGS:
            self.end_heading()
        if tag in BLOCKS:
            self.end_paragraph()
        if tag in HIDDEN:
            self.hidden = max(0, self.hidden - 1)
        elif tag == "pre":
            self.preformatted = max(0, self.preformatted - 1)

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.pieces.append(data if self.preformatted else re.sub(r"\s+", " ", data))

    def end_paragraph(self) -> None:
        if self._heading is not None:  # blocks in a heading do not part it
            return
        text = "".join(self.pieces)
        self.pieces = []
        if not self.preformatted:
            text = "\n".join(re.sub(" +", " ", line).strip() for line in text.split("\n")).strip()
        if text.strip():
            self.paragraphs.append(text.strip("\n").rstrip())

    def end_heading(self) -> None:
        name = " ".join("".join(self.pieces).split())
        if self._heading is not None and name and len(name) <= LONGEST_HEADING:
            self.end_part()
            self._above = (self._levels[self._heading], name)
            self.pieces = []
        self._heading = None

    def end_part(self) -> None:
        self.parts.append(Part(*self._above, "\n\n".join(self.paragraphs)))
        self.paragraphs = []
