"""Markdown as HTML that may stand on a tenant's page, whoever wrote it."""

from collections.abc import Iterator

from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

from apps.search.chunking.files import extract_markdown

SAFE_SCHEMES = ("http://", "https://", "mailto:")
LONGEST = 50_000  # characters, which take a second at worst; longer texts are shown as they are
DEEPEST_HEADING = 6

# HTML in a text is text. An address that a browser might run is refused below, not by markdown-it's own list.
_parser = MarkdownIt("commonmark", {"html": False}).enable("table")
_parser.validateLink = lambda url: True  # type: ignore[method-assign]


def render_markdown(text: str, title: str) -> SafeString:
    """Return the text as HTML without its first heading if that is the title, which the page shows already.

    Headings are one level lower than in the text. Links lead to http, https and mail addresses only; others
    are text, and so are images, which would tell another site who reads.
    """
    tokens = list(_make_harmless(_parser.parse(text)))
    if tokens and tokens[0].type == "heading_open" and extract_markdown(text).title == title:
        tokens = tokens[3:]
    return mark_safe(_parser.renderer.render(tokens, _parser.options, {}))  # noqa: S308 - html is off


def _make_harmless(tokens: list[Token]) -> Iterator[Token]:
    refused = 0  # links that are open
    for token in tokens:
        if token.children:
            token.children = list(_make_harmless(token.children))
        token.attrs.pop("style", None)  # of cells, which the site's content security policy refuses
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1:]) + 1, DEEPEST_HEADING)}"
        elif token.type == "image":
            yield Token("text", "", 0, content=token.content)
            continue
        elif token.type == "link_open":
            if not str(token.attrGet("href")).lower().startswith(SAFE_SCHEMES):
                refused += 1
                continue
            token.attrSet("rel", "nofollow")
        elif token.type == "link_close" and refused:  # no link is within another
            refused -= 1
            continue
        yield token
