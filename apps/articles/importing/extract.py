"""Take the title and the text out of HTML pages and Markdown documents."""

import re
from typing import NamedTuple

from apps.search.chunking.html import PageReader
from apps.search.chunking.markdown import split_markdown


class Extract(NamedTuple):
    """What a document says of itself; key and title are None where it names none."""

    key: str | None
    title: str | None
    body: str


_FRONT_MATTER = re.compile(r"---[ \t]*\n((?:.*\n)*?)(?:---|\.\.\.)[ \t]*(?:\n|\Z)")
_FRONT_MATTER_LINE = re.compile(r"\s|#|-\s|[\w-]+:(?:\s|$)|$")


def extract_markdown(text: str) -> Extract:
    """Return the key, the title and the Markdown below the front matter.

    A block between two lines of `---` at the top is front matter if each of its lines looks like
    `name: value`; only the plain values of key and title are read. Without a title there, it is the
    first heading.
    """
    match = _FRONT_MATTER.match(text)
    if match and all(map(_FRONT_MATTER_LINE.match, match[1].splitlines())):
        key, title = (_value(name, match[1]) for name in ("key", "title"))
        body = text[match.end() :].lstrip("\n")
    else:
        key, title, body = None, None, text
    headings = (part.heading for part in split_markdown(body, deepest=6) if part.heading)
    return Extract(key, title or next(headings, None), body)


def _value(name: str, front_matter: str) -> str | None:
    for line in front_matter.splitlines():
        if line.startswith(f"{name}:"):
            value = line.partition(":")[2].strip()
            quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
            return (value[1:-1] if quoted else value).strip() or None
    return None


def extract_html(text: str) -> Extract:
    """Return the title (`<title>`, or else the first `<h1>`) and the visible text of an HTML page.

    The text is that of PageReader, without the title. Raises ValueError for markup that Python's parser
    refuses.
    """
    reader = _TitleReader()
    reader.read(text)
    titles = [" ".join("".join(reader.found[tag]).split()) for tag in ("title", "h1")]
    return Extract(None, next(filter(None, titles), None), "\n\n".join(reader.paragraphs))


class _TitleReader(PageReader):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, list[str]] = {"title": [], "h1": []}  # the text of the first of each
        self._open: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        super().handle_starttag(tag, attrs)
        if not self.hidden and tag in self.found and not self.found[tag]:
            self._open = tag

    def handle_endtag(self, tag: str) -> None:
        super().handle_endtag(tag)
        if tag in self.found:
            self._open = None

    def handle_data(self, data: str) -> None:
        if self._open and not self.hidden:
            self.found[self._open].append(data)
        if self._open != "title":
            super().handle_data(data)
