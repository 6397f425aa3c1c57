"""The visible text of an HTML page in parts, by its headings.

Lexbor reads the page as browsers do (HTML Living Standard, section 13.2, "Parsing HTML documents").
"""

import re
from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

from apps.search.chunking.sections import LONGEST_HEADING, Part

HEADINGS = {f"h{level}": level for level in range(1, 7)}
HIDDEN = frozenset(
    """annotation audio canvas datalist iframe noembed noframes noscript rp script style svg template
    video""".split()  # noqa: SIM905
)
BLOCKS = frozenset(
    """address article aside blockquote body caption dd details dialog div dl dt fieldset figcaption figure
    footer form h1 h2 h3 h4 h5 h6 head header hr html legend li main nav ol option p pre section select
    summary table tbody tfoot thead title tr ul""".split()  # noqa: SIM905 - forty names read better as text
)
_HIDDEN_BY_STYLE = re.compile(
    r"\b(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse))\b", re.IGNORECASE
)

# The parser looks through all open elements for many tags, in time quadratic in their depth. Browsers stop
# at 512. Those listed here have no content, or the next one closes them.
_DEEPEST = 1000
_NEVER_DEEP = frozenset(
    """area base body br col dd dt embed head hr html img input li link meta optgroup option p source tbody td
    tfoot th thead tr track wbr""".split()  # noqa: SIM905
)
_TAG = re.compile(r"<(?P<end>/?)(?P<name>[a-zA-Z][^\s/>]*)[^>]*>?")


def split_html(text: str, deepest: int) -> list[Part]:
    """Return the parts of a page; headings below the level `deepest` count as text.

    Each block element becomes a paragraph, `<br>` a line break; white space is kept in `<pre>` only. What a
    browser does not show is left out: scripts, styles, templates, drawings, closed dialogs, and what the
    attributes `hidden` and `style` hide. What a browser can find and then shows is text: closed `<details>`,
    `hidden="until-found"`. `<title>` is the heading of the whole page.
    """
    reader = _Reader(deepest)
    page = LexborHTMLParser(_flatten(text).encode(errors="replace"))  # half a surrogate pair has no UTF-8
    if page.root is not None:
        reader.read(page.root)
    reader.end_paragraph()
    reader.end_part()
    return reader.parts


def _flatten(text: str) -> str:
    depth = 0

    def keep(tag: re.Match[str]) -> str:
        nonlocal depth
        if tag["name"].lower() in _NEVER_DEEP:
            return tag[0]
        level = depth if tag["end"] else depth + 1
        depth = max(0, depth - 1) if tag["end"] else level
        return tag[0] if level <= _DEEPEST else ""

    return _TAG.sub(keep, text)


def _is_hidden(node: LexborNode) -> bool:
    if node.tag in HIDDEN:
        return True
    attributes = node.attributes
    if "hidden" in attributes and (attributes["hidden"] or "").lower() != "until-found":
        return True
    if node.tag == "dialog" and "open" not in attributes:
        return True
    return bool(_HIDDEN_BY_STYLE.search(attributes.get("style") or ""))


def _walk(root: LexborNode) -> Iterator[tuple[LexborNode, bool]]:
    """Yield each visible element before its content and after it (True), and each text."""
    node, depth = root, 0
    while True:
        is_text = node.tag == "-text"
        if is_text or (node.is_element_node and not _is_hidden(node)):
            yield node, False
            if not is_text and node.first_child is not None:
                node, depth = node.first_child, depth + 1
                continue
            if not is_text:
                yield node, True
        while node.next is None:
            if depth == 0 or node.parent is None:
                return
            node, depth = node.parent, depth - 1
            yield node, True
        node = node.next


class _Reader:
    def __init__(self, deepest: int) -> None:
        self.parts: list[Part] = []  # the first is what stands before the first heading
        self.paragraphs: list[str] = []  # of the part that is open
        self.pieces: list[str] = []  # of the paragraph that is open
        self.preformatted = 0  # how many such elements are open
        self._levels = {"title": 0} | {tag: level for tag, level in HEADINGS.items() if level <= deepest}
        self._above = (0, "")
        self._heading: str | None = None  # the tag of the heading that is open

    def read(self, root: LexborNode) -> None:
        for node, ends in _walk(root):
            if node.tag == "-text":
                data = node.text_content or ""
                self.pieces.append(data if self.preformatted else re.sub(r"\s+", " ", data))
            elif ends:
                self._end(node.tag)
            else:
                self._start(node.tag)

    def _start(self, tag: str | None) -> None:
        if tag in HEADINGS or tag == "title":
            self.end_heading()  # a heading within a heading
            self.end_paragraph()
            self._heading = tag if tag in self._levels else None
        if tag in BLOCKS:
            self.end_paragraph()
        if tag == "pre":
            self.preformatted += 1
        elif tag == "br":
            self.pieces.append("\n")
        elif tag in ("td", "th"):
            self.pieces.append(" ")

    def _end(self, tag: str | None) -> None:
        if tag in HEADINGS or tag == "title":
            self.end_heading()
        if tag in BLOCKS:
            self.end_paragraph()
        if tag == "pre":
            self.preformatted -= 1

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
