import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.search.chunking import Chunk, Chunker, HeadingChunker, ParagraphChunker, SimpleChunker, TokenChunker
from apps.search.embedders import MiniLMEmbedder, WordLlamaEmbedder

GUIDE = """\
The guide

Read this first.

# The guide

How to begin.

## Install

Take the package.

### Linux

```sh
# as root
install it
```

### Windows

## Use

Call it.
"""
PAGE = (
    "<html><head><title>Page</title></head><body><h1>Install</h1><p>Take it."
    "<h2>Linux</h2><pre># as root</pre>"
)

lines = st.sampled_from(
    [
        "# A",
        "## Bee",
        "### C c",
        "",
        "some text here",
        "日本語です。",
        "```",
        "x" * 60,
        "- item",
        "Under\n---",
        "<h1>H</h1>",
    ]
)
WORD = re.compile(r"[a-zA-Z]+|日本語です")
texts = st.lists(lines, max_size=30).map("\n".join)


def chunk(text, **options):
    return HeadingChunker(**{"inner": ParagraphChunker(overlap=0)} | options).chunk(text)


def test_each_chunk_has_the_headings_it_stands_below():
    chunks = chunk(GUIDE, with_headings=False)

    assert chunks == [
        Chunk("Read this first.", {"headings": ["The guide"]}),
        Chunk("How to begin.", {"headings": ["The guide"]}),
        Chunk("Take the package.", {"headings": ["The guide", "Install"]}),
        Chunk("```sh\n# as root\ninstall it\n```", {"headings": ["The guide", "Install", "Linux"]}),
        Chunk("The guide\nInstall\nWindows", {"headings": ["The guide", "Install", "Windows"]}),
        Chunk("Call it.", {"headings": ["The guide", "Use"]}),
    ]


def test_each_chunk_begins_with_its_headings():
    texts = [found.text for found in chunk(GUIDE)]

    assert texts[1:3] == ["The guide\n\nHow to begin.", "The guide\nInstall\n\nTake the package."]


def test_every_chunk_of_a_long_section_has_its_headings():
    chunks = chunk("# A\n\n" + "one two three. " * 20, inner=SimpleChunker(limit=22, overlap=0))

    assert len(chunks) == 3
    assert all(found.text.startswith("A\n\none two three.") for found in chunks)
    assert all(found.metadata == {"headings": ["A"]} for found in chunks)


def test_html_is_told_by_its_tags_and_becomes_text():
    assert chunk(PAGE) == [
        Chunk("Page\nInstall\n\nTake it.", {"headings": ["Page", "Install"]}),
        Chunk("Page\nInstall\nLinux\n\n# as root", {"headings": ["Page", "Install", "Linux"]}),
    ]


@pytest.mark.parametrize(
    ("text", "headings"),
    [
        ("# A\n\n<h2>B</h2>", [["A"]]),
        ("A text.\n\n<H2>B</H2>c", [None, ["B"]]),
        ("# A\n\n```html\n<html><h1>B</h1>\n```", [["A"]]),
        ("<body>\n# A\n<h1>B</h1>c", [None, ["B"]]),
        ("Title\n\n<!DOCTYPE html><h1>B</h1>c", [["Title", "B"]]),
        ("1 < 2.\n\n# A\n\nb", [None, ["A"]]),
        ("<![foo[x]]>\n<html>\n# A\n\nb", [None]),
    ],
)
def test_markup_is_told_apart(text, headings):
    assert [found.metadata.get("headings") for found in chunk(text)] == headings


def test_markup_can_be_named():
    text = "# A\n\n<h1>B</h1>c"

    assert chunk(text, markup="html")[-1].metadata == {"headings": ["B"]}
    assert chunk(PAGE, markup="markdown") == [Chunk(PAGE)]


@pytest.mark.parametrize(
    ("text", "headings"),
    [
        ("My title\n\n# A\n\nb", ["My title", "A"]),
        ("My title \r\n\r\n# A\r\n\r\nb", ["My title", "A"]),
        ("My title\n\nMore of it.\n\n# A\n\nb", ["My title", "A"]),
        ("A\n\n# A\n\nb", ["A"]),
        ("This is a sentence.\n\n# A\n\nb", ["A"]),
        ("Two\nlines\n\n# A\n\nb", ["A"]),
        ("- item\n\n# A\n\nb", ["A"]),
        (f"{'x' * 301}\n\n# A\n\nb", ["A"]),
    ],
)
def test_a_first_line_that_stands_alone_is_the_title(text, headings):
    assert chunk(text)[-1].metadata == {"headings": headings}


@pytest.mark.parametrize("text", ["just text", "My title\n\nand its text", "```\n# no\n```", "<p>a</p>"])
def test_a_text_without_headings_is_cut_by_the_inner_chunker_alone(text):
    assert chunk(text) == [Chunk(text)]


@pytest.mark.parametrize("text", ["", " \n", "<h1> </h1>", "<body><p>"])
def test_a_text_without_words_has_no_chunks(text):
    assert chunk(text) == []


def test_headings_that_would_take_half_the_limit_are_left_to_the_metadata():
    text = "# One two three four\n\n## Five six\n\ntext\n\n## Seven eight nine ten\n\nmore"

    chunks = chunk(text, inner=SimpleChunker(limit=6, overlap=0))

    assert [found.text for found in chunks] == ["Five six\n\ntext", "more"]
    assert chunks[1].metadata == {"headings": ["One two three four", "Seven eight nine ten"]}


@pytest.mark.parametrize("embedder", [MiniLMEmbedder(), WordLlamaEmbedder()], ids=repr)
@given(text=texts, limit=st.integers(16, 60), overlap=st.integers(0, 15))
def test_no_chunk_with_its_headings_is_above_the_limit(embedder, text, limit, overlap):
    chunks = HeadingChunker(TokenChunker(limit, overlap)).fit(embedder).chunk(text)

    assert all(found.text.strip() for found in chunks)
    assert all(embedder.count_tokens(found.text) <= limit for found in chunks)


@given(texts)
def test_no_word_is_lost(text):
    chunks = HeadingChunker(SimpleChunker(limit=50, overlap=0), markup="markdown").chunk(text)

    found = " ".join(f"{chunk.text} {chunk.metadata}" for chunk in chunks)
    assert {word for word in WORD.findall(text) if word not in found} <= {"h"}


class Numbering(Chunker):
    """Gives chunks metadata of its own."""

    def __init__(self, step=1):
        self.step = step

    def chunk(self, text):
        return [Chunk(line, {"number": n * self.step}) for n, line in enumerate(text.split())]


def test_metadata_of_the_inner_chunker_is_kept():
    assert chunk("# A\n\nb c", inner=Numbering(), with_headings=False) == [
        Chunk("b", {"headings": ["A"], "number": 0}),
        Chunk("c", {"headings": ["A"], "number": 1}),
    ]


def test_the_inner_chunker_can_be_named_as_in_settings():
    inner = {"BACKEND": "apps.search.chunking.SimpleChunker", "OPTIONS": {"limit": 9, "overlap": 1}}

    assert HeadingChunker(inner=inner) == HeadingChunker(SimpleChunker(9, 1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"markup": "rst"}, "HeadingChunker: markup must be one of 'auto', 'markdown', 'html', not 'rst'."),
        ({"deepest": 7}, "HeadingChunker: deepest must be a whole number from 1 to 6, not 7."),
        ({"deepest": True}, "HeadingChunker: deepest must be a whole number from 1 to 6, not True."),
        ({"with_headings": 1}, "HeadingChunker: with_headings must be True or False, not 1."),
        ({"inner": "x"}, "inner: it must be a dict, not str."),
        ({"inner": {}}, "inner: BACKEND must be the dotted path of a chunker, not None."),
        (
            {"inner": {"BACKEND": "apps.search.chunking.SimpleChunker", "OPTIONS": {"limit": 0}}},
            "inner: SimpleChunker: limit must be a whole number of at least 1, not 0.",
        ),
    ],
)
def test_an_option_out_of_range_is_refused(options, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        HeadingChunker(**options)
