"""Take the title and the text out of HTML pages and Markdown documents."""

import re
from typing import NamedTuple

from apps.search.chunking.html import PageReader


class Extract(NamedTuple):
    """What a document says of itself; key and title are None where it names none."""

    key: str | None
    title: str | None
    body: str


_FRONT_MATTER = re.compile(r"---[ \t]*\n((?:.*\n)*?)(?:---|\.\.\.)[ \t]*(?:\n|\Z)")
_FRONT_MATTER_LINE = re.compile(r"\s|#|-\s|[\w-]+:(?:\s|$)|$")
_FENCES = ("```", "~~~")


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

    The text is that of PageReader, without the title. Raises ValueError for markup that Python's parser
    refuses.
    """
    reader = _TitleReader()
    reader.read(text)
    title = " ".join("".join(reader.title).split()) or " ".join("".join(reader.heading).split())
    return Extract(None, title or None, "\n\n".join(reader.paragraphs))


class _TitleReader(PageReader):
    def __init__(self) -> None:
        super().__init__()
        self.title: list[str] = []
        self.heading: list[str] = []
        self._sink: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        super().handle_starttag(tag, attrs)
        if self.hidden:
            return
        if tag == "title" and not self.title:
            self._sink = self.title
        elif tag == "h1" and not self.heading:
            self._sink = self.heading

    def handle_endtag(self, tag: str) -> None:
        super().handle_endtag(tag)
        if tag in ("title", "h1"):
            self._sink = None

    def handle_data(self, data: str) -> None:
        if self._sink is not None and not self.hidden:
            self._sink.append(data)
        if self._sink is not self.title:
            super().handle_data(data)
