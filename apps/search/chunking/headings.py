"""HeadingChunker: Markdown and HTML cut at their headings."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast, get_args

from apps.search.chunking.by_tokens import TokenChunker
from apps.search.chunking.chunker import Chunk, Chunker, Tokenizer, as_chunk, make_chunker
from apps.search.chunking.html import split_html
from apps.search.chunking.markdown import remove_fenced, split_markdown
from apps.search.chunking.sections import Part, Section, nest
from apps.search.chunking.slicing import refuse

Markup = Literal["auto", "markdown", "html"]

HEADINGS_KEY = "headings"  # of a document's metadata

_PAGE = re.compile(r"^\s{0,20}<(?:!doctype html|html|head|body)\b", re.IGNORECASE | re.MULTILINE)
_HTML_HEADING = re.compile(r"<h[1-6][\s>]", re.IGNORECASE)


@dataclass(frozen=True)
class HeadingChunker(Chunker):
    """Cut Markdown and HTML at their headings, and each section with an inner chunker.

    The metadata of a chunk has the headings above it, outermost first: {"headings": ["Install", "Linux"]}; it
    lacks the key when there are none. A first line that stands alone before the first heading and does not
    end like a sentence counts as the outermost heading: Indexed puts an object's title there. HTML becomes
    plain text, Markdown stays as written.

    - `inner`: cuts the sections; in settings, a dict of BACKEND and OPTIONS. A TokenChunker when not given.
    - `markup`: "markdown", "html", or "auto": HTML if a line begins with `<!doctype html`, `<html`, `<head>`
      or `<body`, or if there are `<h1>` to `<h6>` and no headings of Markdown.
    - `deepest`: headings below this level, 1 to 6, do not cut.
    - `with_headings`: each chunk's text begins with its headings, a line each, which count for the inner
      chunker's limit. If all of them take more than half of it, only the last is shown, or none.

    Raises ValueError for an option that is out of its range.
    """

    inner: Chunker | Mapping[str, Any] = field(default_factory=TokenChunker)
    markup: Markup = "auto"
    deepest: int = 6
    with_headings: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.inner, Chunker):
            object.__setattr__(self, "inner", make_chunker(self.inner, "inner"))
        if self.markup not in get_args(Markup):
            raise refuse(self, "markup", "one of " + ", ".join(map(repr, get_args(Markup))))
        if type(self.deepest) is not int or not 1 <= self.deepest <= 6:
            raise refuse(self, "deepest", "a whole number from 1 to 6")
        if type(self.with_headings) is not bool:
            raise refuse(self, "with_headings", "True or False")

    def fit(self, tokenizer: Tokenizer) -> "HeadingChunker":
        """Fit the inner chunker to this embedder; raises what that raises."""
        return replace(self, inner=self._inner.fit(tokenizer))

    def chunk(self, text: str) -> list[Chunk]:
        """Return the chunks of the sections, in their order; a blank text has none."""
        return [chunk for section in nest(self._split(text)) for chunk in self._cut(section)]

    @property
    def _inner(self) -> Chunker:
        return cast(Chunker, self.inner)  # __post_init__ made it one

    def _split(self, text: str) -> list[Part]:
        parts = split_markdown(text, self.deepest)
        if self.markup == "markdown" or (self.markup == "auto" and not _is_html(text, parts)):
            return parts
        return split_html(text, self.deepest)

    def _cut(self, section: Section) -> Iterator[Chunk]:
        metadata = {HEADINGS_KEY: list(section.headings)} if section.headings else {}
        lead, inner = self._choose_lead(section.headings)
        pieces = [*inner.chunk(section.text)]
        if not pieces and section.headings and section.is_leaf:  # a heading with nothing below it
            lead, pieces = "", [*self._inner.chunk("\n".join(section.headings))]
        for piece in map(as_chunk, pieces):
            yield Chunk(lead + piece.text, metadata | dict(piece.metadata))

    def _choose_lead(self, headings: tuple[str, ...]) -> tuple[str, Chunker]:
        if self.with_headings:
            for shown in (headings, headings[-1:]):
                lead = "".join(f"{heading}\n" for heading in shown) + "\n" if shown else ""
                if lead and (inner := self._inner.make_room(lead)):
                    return lead, inner
        return "", self._inner


def _is_html(text: str, parts: list[Part]) -> bool:
    if "<" not in text:
        return False
    prose = remove_fenced(text)
    return bool(_PAGE.search(prose)) or (len(parts) == 1 and bool(_HTML_HEADING.search(prose)))
