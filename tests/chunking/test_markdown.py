from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.search.chunking.markdown import split_markdown

pieces = st.sampled_from(
    [
        *[
            "# ",
            "## A",
            "#",
            "a",
            "b c",
            " ",
            "    ",
            "\t",
            "\n",
            "\r\n",
            "\n\n",
            "```",
            "~~~",
            "---",
            "===",
            "- ",
        ],
        *[
            "> ",
            "1. ",
            "`",
            "*",
            "[",
            "](",
            "<",
            "\\",
            "日本",
            "\x00",
            "\ud800",
            "|",
            "_",
            "###### ",
            "x" * 301,
        ],
    ]
)
texts = st.lists(pieces, max_size=40).map("".join)


def letters(*texts):
    return Counter(char for text in texts for char in text if char.isalnum())


def headings(text, deepest=6):
    return [(part.level, part.heading) for part in split_markdown(text, deepest) if part.heading]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("# One\ntext\n## Two\n", [(1, "One"), (2, "Two")]),
        ("###### Six\n####### Seven", [(6, "Six")]),
        ("#No space\n# Space", [(1, "Space")]),
        ("   ### Indented\n    # code", [(3, "Indented")]),
        ("# Closed ##\n# Not#\n## C# #", [(1, "Closed"), (1, "Not#"), (2, "C#")]),
        ("#\n# #\n##   ", []),
        ("# One\r\n## Two\r### Three\n", [(1, "One"), (2, "Two"), (3, "Three")]),
        ("One\n===\nTwo\n---\n", [(1, "One"), (2, "Two")]),
        ("Over two\nlines  \n  ---  \n", [(2, "Over two lines")]),
        ("\n---\n\n===\n", []),
        ("text\n\n---\n", []),
        ("- item\n---\n> quote\n---\n1. one\n===", []),
        ("    code\n----", []),
        ("text\n- item\n---", []),
        ("a | b\n---|---\n1 | 2", []),
        ("text\n-\n=", []),
        ("* * *\n---\n***\n===", []),
        ("# A\nB\n---", [(1, "A"), (2, "B")]),
    ],
)
def test_headings_are_those_of_commonmark(text, found):
    assert headings(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "```\n# no\n```\n# yes",
        "```sh\n# no\n````\n# yes",
        "````\n```\n# no\n````\n# yes",
        "~~~ `x`\n# no\n```\n# no\n~~~~~\n# yes",
        "``` a`b\n# yes",
        "```\n# no\n``` x\n# no\n```\n# yes",
        "- item\n\n  ```\n  # no\n  ```\n\n# yes",
        "1. ```\n   # no\n   ```\n# yes",
        "10. item\n\n    ~~~\n# yes",
        "- ```\n  # no\n# yes",
        "no\n```\n---\n```\n# yes",
    ],
)
def test_fenced_code_has_no_headings(text):
    assert headings(text) == [(1, "yes")]


def test_a_fence_that_is_never_closed_goes_on_to_the_end():
    assert headings("# yes\n```\n# no\n\n# no") == [(1, "yes")]


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("# The `code` of *it* and __that__", "The code of it and that"),
        ("# snake_case_name and 2 * 3", "snake_case_name and 2 * 3"),
        ("# [Link](http://x.example/a_b) here", "Link here"),
        ("# [![Badge](b.svg)](http://x.example) Title", "Badge Title"),
        ("# Named {#name}", "Named"),
        (r"# \# is escaped", "# is escaped"),
        ("# <b>Bold</b> &lt;", "Bold <"),
    ],
)
def test_a_heading_is_named_without_its_markup(line, name):
    assert headings(line) == [(1, name)]


@pytest.mark.parametrize(
    "text",
    [
        "- # no\n\n# yes",
        "1. item\n\n   # no\n\n# yes",
        "> # no\n\n# yes",
        "item:\n\n      # no\n\n# yes",
        "- item\n\n      # no\n\n# yes",
        "<div>\n# no\n</div>\n\n# yes",
        "<!--\n# no\n-->\n# yes",
        "[a]: /b\n# yes",
    ],
)
def test_what_stands_in_lists_quotations_code_and_html_is_no_heading(text):
    assert headings(text) == [(1, "yes")]


def test_headings_deeper_than_asked_are_text():
    parts = split_markdown("# A\n## B\n### C\ntext", 2)

    assert [(part.heading, part.text) for part in parts] == [("", ""), ("A", ""), ("B", "### C\ntext")]


def test_what_is_too_long_for_a_heading_is_text():
    text = f"# {'x' * 301}\n\n{'long words ' * 40}\n---\n"

    assert headings(text) == []


@given(texts)
def test_the_texts_of_the_parts_are_the_text_without_its_headings(text):
    parts = split_markdown(text, 6)

    rest = iter(text)
    assert all(char in rest for part in parts for char in part.text)
    assert letters(text) == letters(*(part.heading + part.text for part in parts))


@pytest.mark.parametrize(
    "piece",
    [
        *[
            "#",
            "# ",
            "# a #",
            "a\n",
            "---\n",
            "a\n--",
            "```",
            "```\n",
            "- ",
            "-",
            "* ",
            "[",
            "[x](",
            "![",
            "\n",
            "\r",
        ],
        *["{#a", "<a", "# `_*\\\n", "# [a](b)\n", "> ", "1. ", "    ", "# x" + " " * 200],
    ],
)
def test_a_quarter_of_a_megabyte_of_anything_is_read_once(piece):
    text = piece * (250_000 // len(piece))

    parts = split_markdown(text, 6)

    assert len(parts) <= text.count("\n") + 2
