"""The key, the title and the text of a Markdown or HTML file, wherever it comes from."""

import re
from codecs import BOM_UTF8
from collections.abc import Callable
from pathlib import PurePath
from typing import NamedTuple

import yaml

from apps.search.chunking.html import split_html
from apps.search.chunking.markdown import split_markdown

MARKDOWN, HTML = (".md", ".markdown"), (".html", ".htm")


class Extract(NamedTuple):
    """What a document says of itself; key and title are None where it names none."""

    key: str | None
    title: str | None
    body: str


_LONGEST_FRONT_MATTER = 50_000  # characters, which take PyYAML half a second
_FRONT_MATTER = re.compile(r"---[ \t]*\n(?P<block>(?:.*\n)*?)(?:---|\.\.\.)[ \t]*(?:\n|\Z)")
_FRONT_MATTER_LINE = re.compile(r"\s|#|-\s|[\w-]+:(?:\s|$)|$")
_NULL = "tag:yaml.org,2002:null"


def decode(data: bytes, errors: str = "strict") -> str:
    """Return the text of a file without its byte order mark, with `\\n` at the end of each line.

    Raises UnicodeDecodeError for what is not UTF-8, unless `errors` says otherwise.
    """
    return data.removeprefix(BOM_UTF8).decode(errors=errors).replace("\r\n", "\n").replace("\r", "\n")


def extract_markdown(text: str) -> Extract:
    """Return the key, the title and the Markdown below the front matter.

    A block between two lines of `---` at the top is front matter if it is a mapping in YAML whose names are
    no sentences. Without a title there, it is the first heading.
    """
    key, title, body = _split_front_matter(text)
    return Extract(key, title or _find_heading(body), body)


def extract_html(text: str) -> Extract:
    """Return the title (`<title>`, or else the first `<h1>`) and the visible text of an HTML page."""
    parts = split_html(text, deepest=6)
    titles = {part.level: part.heading for part in reversed(parts) if part.heading}  # the first of each level
    texts = [text for part in parts for text in (part.heading if part.level else "", part.text) if text]
    return Extract(None, titles.get(0) or titles.get(1), "\n\n".join(texts))


def extract_for_chunks(path: str, text: str) -> tuple[str, str]:
    """Return the title of a file and the text to cut into chunks, which keeps its HTML or Markdown.

    The title is the file's name where the file names none. A title in the front matter stands above the text.
    """
    suffix, name = PurePath(path).suffix.lower(), PurePath(path).name
    if suffix in HTML:
        return extract_html(text).title or name, text
    if suffix not in MARKDOWN:
        return name, text
    _, title, body = _split_front_matter(text)
    return (title, f"{title}\n\n{body}") if title else (_find_heading(body) or name, body)


def _find_heading(markdown: str) -> str | None:
    return next((part.heading for part in split_markdown(markdown, deepest=6) if part.heading), None)


def _split_front_matter(text: str) -> Extract:
    match = _FRONT_MATTER.match(text[: _LONGEST_FRONT_MATTER + 10])
    read = _read_mapping(match["block"]) if match else None
    if match is None or read is None:
        return Extract(None, None, text)
    return Extract(read("key"), read("title"), text[match.end() :].lstrip("\n"))


def _read_mapping(block: str) -> Callable[[str], str | None] | None:
    """Return a function from a name to its text in a block of YAML, or None if it is not front matter."""
    try:
        node = yaml.compose(block, Loader=yaml.SafeLoader)  # nothing is made of its tags
    except (yaml.YAMLError, RecursionError):  # such as `title: One: two`, which is often written
        if not all(map(_FRONT_MATTER_LINE.match, block.splitlines())):
            return None
        line = r"(?m)^{}:[ \t]+(['\"]?)(.*)\1[ \t]*$"
        return lambda name: _clean(match[2]) if (match := re.search(line.format(name), block)) else None
    if node is None and not block.strip():
        return lambda name: None
    if not isinstance(node, yaml.MappingNode):
        return None
    names = [(name.value, value) for name, value in node.value if isinstance(name, yaml.ScalarNode)]
    if not any(len(name.split()) <= 3 for name, _ in names):
        return None
    texts = {
        name: value.value
        for name, value in names
        if isinstance(value, yaml.ScalarNode) and value.tag != _NULL
    }
    return lambda name: _clean(texts.get(name, ""))


def _clean(text: str) -> str | None:
    return " ".join(text.split()) or None
