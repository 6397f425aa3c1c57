"""Take the title and the text out of HTML pages and Markdown documents."""

import re
from typing import NamedTuple

from apps.search.chunking.html import split_html
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

    Raises ValueError for markup that Python's parser refuses.
    """
    parts = split_html(text, deepest=6)
    titles = {part.level: part.heading for part in reversed(parts) if part.heading}  # the first of each level
    texts = [text for part in parts for text in (part.heading if part.level else "", part.text) if text]
    return Extract(None, titles.get(0) or titles.get(1), "\n\n".join(texts))
