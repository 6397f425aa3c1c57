"""Take the title and the text out of HTML pages and Markdown documents."""

import re
from html.parser import HTMLParser
from typing import NamedTuple


class Extract(NamedTuple):
    """What a document says of itself; key and title are None where it names none."""

    key: str | None
    title: str | None
    body: str


_FRONT_MATTER = re.compile(r"---[ \t]*\n((?:.*\n)*?)(?:---|\.\.\.)[ \t]*(?:\n|\Z)")
_FRONT_MATTER_LINE = re.compile(r"\s|#|-\s|[\w-]+:(?:\s|$)|$")
_FENCES = ("```", "~~~")

_HIDDEN = frozenset(["script", "style", "template", "noscript", "svg"])
_BLOCKS = frozenset(
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


def extract_markdown(text: str) -> Extract:
    """Return the key, the title and the Markdown below the front matter.

    A block between two lines of `---` at the top is front matter if each of its lines looks like
    `name: value`; only the plain values of key and title are read. Without a title there, it is the
    first heading outside fenced code (CommonMark 0.31, sections 4.2 and 4.3).
    """
    match = _FRONT_MATTER.match(text)
    if match is None or not all(map(_FRONT_MATTER_LINE.match, match[1].splitlines())):
        return Extract(None, _first_heading(text), text)
    body = text[match.end() :].lstrip("\n")
    return Extract(_value("key", match[1]), _value("title", match[1]) or _first_heading(body), body)


def _value(name: str, front_matter: str) -> str | None:
    for line in front_matter.splitlines():
        if line.startswith(f"{name}:"):
            value = line.partition(":")[2].strip()
            quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
            return (value[1:-1] if quoted else value).strip() or None
    return None


def _first_heading(text: str) -> str | None:
    fence, above = None, ""
    for line in text.splitlines():
        stripped = line.strip()
        if fence or stripped.startswith(_FENCES):
            fence = _fence_after(stripped, fence)
        elif heading := _atx_heading(stripped) or (above if _is_underline(stripped) else ""):
            return heading
        above = "" if stripped.startswith(_FENCES) else stripped
    return None


def _fence_after(line: str, fence: str | None) -> str | None:
    if fence is None:
        return line[:3]
    return None if line.startswith(fence) else fence


def _atx_heading(line: str) -> str:
    words = line.lstrip("#")
    level = len(line) - len(words)
    return words.rstrip("#").strip() if 1 <= level <= 6 and words[:1].isspace() else ""


def _is_underline(line: str) -> bool:
    return len(line) >= 2 and not line.strip(line[0]) and line[0] in "=-"


def extract_html(text: str) -> Extract:
    """Return the title (`<title>`, or else the first `<h1>`) and the visible text of an HTML page.

    Each block element becomes a paragraph, `<br>` a line break; white space is kept in `<pre>` only.
    Scripts, styles, templates and drawings are left out. Raises ValueError for markup that Python's
    parser refuses.
    """
    parser = _PageParser()
    try:
        parser.feed(_escape_strays(text))
        parser.close()
    except AssertionError as error:  # how html.parser reports a malformed `<![...` declaration
        raise ValueError(f"{error}") from error
    parser.end_block()
    title = " ".join("".join(parser.title).split()) or " ".join("".join(parser.heading).split())
    return Extract(None, title or None, "\n\n".join(parser.paragraphs))


def _escape_strays(page: str) -> str:
    commented = page.rfind("-->") + 1
    page = page[:commented] + page[commented:].replace("<!--", "&lt;!--")
    return _STRAY.sub("&lt;", page)


class _PageParser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.paragraphs: list[str] = []
        self.title: list[str] = []
        self.heading: list[str] = []
        self._pieces: list[str] = []
        self._hidden = self._preformatted = 0
        self._sink: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS:
            self.end_block()
        if tag in _HIDDEN:
            self._hidden += 1
        elif tag == "pre":
            self._preformatted += 1
        elif tag == "br":
            self._pieces.append("\n")
        elif tag in ("td", "th"):
            self._pieces.append(" ")
        self._open_sink(tag)

    def _open_sink(self, tag: str) -> None:
        if self._hidden:
            return
        if tag == "title" and not self.title:
            self._sink = self.title
        elif tag == "h1" and not self.heading:
            self._sink = self.heading

    def handle_endtag(self, tag: str) -> None:
        if tag in _BLOCKS:
            self.end_block()
        if tag in _HIDDEN:
            self._hidden = max(0, self._hidden - 1)
        elif tag == "pre":
            self._preformatted = max(0, self._preformatted - 1)
        if tag in ("title", "h1"):
            self._sink = None

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        if self._sink is not None:
            self._sink.append(data)
        if self._sink is not self.title:
            self._pieces.append(data if self._preformatted else re.sub(r"\s+", " ", data))

    def end_block(self) -> None:
        """Close the paragraph that is being read, if it has any text."""
        text = "".join(self._pieces)
        self._pieces = []
        if not self._preformatted:
            text = "\n".join(re.sub(" +", " ", line).strip() for line in text.split("\n")).strip()
        if text.strip():
            self.paragraphs.append(text.strip("\n").rstrip())
