"""HTML pages as plain text: their paragraphs, and their parts by heading."""

import re
from html.parser import HTMLParser

from apps.search.chunking.sections import LONGEST_HEADING, Part

HEADINGS = {f"h{level}": level for level in range(1, 7)}
HIDDEN = frozenset(["script", "style", "template", "noscript", "svg"])
BLOCKS = frozenset(
    """address article aside blockquote body caption dd details dialog div dl dt fieldset figcaption figure
    footer form h1 h2 h3 h4 h5 h6 head header hr html legend li main nav ol option p pre section select
    summary table tbody tfoot thead tr ul""".split()  # noqa: SIM905 - forty names read better as text
)

# A "<" whose tag is never closed. Python's parser looks for the end of each again and again, in time
# quadratic in the page (before 3.13.6), so they are escaped before it sees them.
_STRAY = re.compile(
    r"""<(?!!--)(?=[a-zA-Z/?!])"""
    r"""(?![/?!]?(?:[^<>"']|"(?:[^"<]*+|[^"]{0,300})"|'(?:[^'<]*+|[^']{0,300})')*+>)"""
)


class PageReader(HTMLParser):
    """The visible text of a page, in paragraphs; a subclass says what else is to be known of it.

    Each block element becomes a paragraph, `<br>` a line break; white space is kept in `<pre>` only.
    Scripts, styles, templates and drawings are left out.
    """

    blocks = BLOCKS

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.paragraphs: list[str] = []
        self.pieces: list[str] = []  # of the paragraph that is open
        self.hidden = self.preformatted = 0  # how many such elements are open

    def read(self, page: str) -> None:
        """Read the whole page. Raises ValueError for markup that Python's parser refuses."""
        try:
            self.feed(_escape_strays(page))
            self.close()
        except AssertionError as error:  # how html.parser reports a malformed `<![...` declaration
            raise ValueError(f"{error}") from error
        self.end_paragraph()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """End the paragraph at a block, and keep account of what is hidden or preformatted."""
        if tag in self.blocks:
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
        """Undo what the start of the element did; an end without a start counts for nothing."""
        if tag in self.blocks:
            self.end_paragraph()
        if tag in HIDDEN:
            self.hidden = max(0, self.hidden - 1)
        elif tag == "pre":
            self.preformatted = max(0, self.preformatted - 1)

    def handle_data(self, data: str) -> None:
        """Take text that is not hidden into the paragraph."""
        if not self.hidden:
            self.pieces.append(data if self.preformatted else re.sub(r"\s+", " ", data))

    def end_paragraph(self) -> None:
        """Close the paragraph that is being read, if it has any text."""
        text = "".join(self.pieces)
        self.pieces = []
        if not self.preformatted:
            text = "\n".join(re.sub(" +", " ", line).strip() for line in text.split("\n")).strip()
        if text.strip():
            self.paragraphs.append(text.strip("\n").rstrip())


def _escape_strays(page: str) -> str:
    commented = page.rfind("-->") + 1
    page = page[:commented] + page[commented:].replace("<!--", "&lt;!--")
    return _STRAY.sub("&lt;", page)


def split_html(text: str, deepest: int) -> list[Part]:
    """Return the parts of a page; headings of a deeper level than `deepest` count as text.

    The text is that of PageReader. `<title>` is the heading of the whole page. Raises ValueError for markup
    that Python's parser refuses.
    """
    reader = _PartReader(deepest)
    reader.read(text)
    return reader.parts


class _PartReader(PageReader):
    blocks = BLOCKS | {"title"}

    def __init__(self, deepest: int) -> None:
        super().__init__()
        self.parts: list[Part] = []  # the first is what stands before the first heading
        self._levels = {"title": 0} | {tag: level for tag, level in HEADINGS.items() if level <= deepest}
        self._above = (0, "")
        self._heading: str | None = None  # the tag of the heading that is open

    def read(self, page: str) -> None:
        super().read(page)
        self._end_heading()  # one that was never closed
        self.end_paragraph()
        self._end_part()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in HEADINGS or (tag == "title" and not self.hidden):
            self._end_heading()  # one that was never closed
            self.end_paragraph()
            self._heading = tag if tag in self._levels and not self.hidden else None
        super().handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag == self._heading or tag in HEADINGS:
            self._end_heading()
        super().handle_endtag(tag)

    def end_paragraph(self) -> None:
        if self._heading is None:  # blocks in a heading do not part it
            super().end_paragraph()

    def _end_heading(self) -> None:
        name = " ".join("".join(self.pieces).split())
        if self._heading is not None and name and len(name) <= LONGEST_HEADING:
            self._end_part()
            self._above = (self._levels[self._heading], name)
            self.pieces = []
        self._heading = None

    def _end_part(self) -> None:
        self.parts.append(Part(*self._above, "\n\n".join(self.paragraphs)))
        self.paragraphs = []
