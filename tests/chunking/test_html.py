import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.search.chunking.html import split_html

pieces = st.sampled_from(
    [
        *[
            "<h1>",
            "</h1>",
            "<h2 class='a'>",
            "</h2>",
            "<p>",
            "</p>",
            "<title>",
            "</title>",
            "<pre>",
            "</pre>",
        ],
        *[
            "<br>",
            "<script>",
            "</script>",
            "<style>",
            "<!--",
            "-->",
            "<",
            ">",
            "&lt;",
            "&",
            "text",
            " ",
            "\n",
        ],
        *["<![", "<?x", "<svg>", "</svg>", "<td>", "\x00", "\ud800", "</", '<a href="', "'"],
    ]
)


def sections(page, deepest=6):
    return [tuple(part) for part in split_html(page, deepest)]


def test_text_is_cut_at_headings_and_told_by_block():
    page = (
        "<body><p>Before <h1>Big <b>one</b></h1><p>First&amp;\n  last<p>two<br>lines"
        "<h3 id=x>Deep</h3><ul><li>a<li>b"
    )

    assert sections(page) == [
        (0, "", "Before"),
        (1, "Big one", "First& last\n\ntwo\nlines"),
        (3, "Deep", "a\n\nb"),
    ]


def test_the_title_stands_above_all():
    page = "<html><head><title>A  page</title></head><body><h1>Head</h1>text"

    assert sections(page) == [(0, "", ""), (0, "A page", ""), (1, "Head", "text")]


def test_scripts_styles_and_drawings_are_left_out():
    page = (
        "<style>h1 { color: red }</style><h2>A</h2><script>'<h1>no</h1>'</script>"
        "<noscript><h1>no</h1></noscript>"
        "<template><h1>no</h1></template><svg><title>no</title><text>no</text></svg>yes"
    )

    assert sections(page) == [(0, "", ""), (2, "A", "yes")]


def test_preformatted_text_keeps_its_lines():
    page = "<h1>Code</h1><pre># no heading\n  indented\n\n</pre>"

    assert sections(page) == [(0, "", ""), (1, "Code", "# no heading\n  indented")]


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ("<h1>One<h2>Two</h2>text", [(0, "", ""), (1, "One", ""), (2, "Two", "text")]),
        ("<h1>One</h2>text", [(0, "", ""), (1, "One", "text")]),
        ("<h1></h1>text<h2> <br> </h2>more", [(0, "", "text\n\nmore")]),
        ("<h1>never closed <p>" + "long " * 80, [(0, "", "never closed " + "long " * 79 + "long")]),
        ("text</h1></p>more", [(0, "", "text\n\nmore")]),
        ("<h1><div>In a block</div></h1>text", [(0, "", ""), (1, "In a block", "text")]),
        ("<h1>a</h1>1 < 2 <h2>b</h2>", [(0, "", ""), (1, "a", "1 < 2"), (2, "b", "")]),
        ("<h1>a</h1>x<!-- <h2>no</h2>", [(0, "", ""), (1, "a", "x")]),
    ],
)
def test_malformed_pages_are_read_as_far_as_they_go(page, found):
    assert sections(page) == found


def test_headings_deeper_than_asked_are_paragraphs():
    assert sections("<h1>A</h1><h2>B</h2>text", 1) == [(0, "", ""), (1, "A", "B\n\ntext")]


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("a<!-->b<!-- c -->d", "abd"),
        ("a<!--->b<!-- c -->d", "abd"),
        ("a<!-- c --!>b", "ab"),
        ("a<!-- c -- > c -->b", "ab"),
        ("a<!-- <!-- c -->b", "ab"),
        ("a<![foo[x]]>b", "ab"),
        ("a<?php c ?>b", "ab"),
        ("a<!doctype>b", "ab"),
        ("a</ c>b", "ab"),
        ("1 < 2", "1 < 2"),
        ("a &lt; b &amp c &nbsp;&#8212;", "a < b & c \u2014"),
    ],
)
def test_comments_and_declarations_end_where_the_standard_says(page, text):
    assert sections(page) == [(0, "", text)]


@pytest.mark.parametrize(
    "hidden",
    [
        "<p hidden>no</p>",
        "<p HIDDEN=''>no <b>no</b></p>",
        "<div hidden=hidden><h2>no</h2></div>",
        "<p style='color: red; display: none'>no</p>",
        "<p style='DISPLAY:NONE !important'>no</p>",
        "<div style='visibility: hidden'>no</div>",
        "<dialog>no</dialog>",
        "<iframe>no</iframe>",
        "<video>no</video>",
        "<canvas>no</canvas>",
        "<datalist><option>no</datalist>",
        "<math><annotation>no</annotation></math>",
    ],
)
def test_what_is_hidden_is_left_out(hidden):
    assert sections(f"<h1>A</h1>{hidden}<p>yes") == [(0, "", ""), (1, "A", "yes")]


@pytest.mark.parametrize(
    "shown",
    [
        "<details><summary>yes</summary></details>",
        "<dialog open>yes</dialog>",
        "<p hidden=until-found>yes",
        "<p data-hidden>yes",
        "<p style='display: nonesuch'>yes",
        "<p aria-hidden=true>yes",
    ],
)
def test_what_is_shown_or_can_be_opened_is_kept(shown):
    assert sections(shown) == [(0, "", "yes")]


@given(st.lists(pieces, max_size=40).map("".join))
def test_any_text_is_read(page):
    parts = split_html(page, 6)

    assert parts[0].heading == ""
    assert all(part.heading for part in parts[1:])


def test_elements_deeper_than_any_page_keep_their_text():
    deep = "<div>" * 5000 + "text" + "</div>" * 5000 + "<h1>A</h1><p>more"

    assert sections(deep) == [(0, "", "text"), (1, "A", "more")]


@pytest.mark.parametrize(
    "piece",
    [
        *[
            "<",
            "<h1>",
            "<h1>a",
            "<h1>a</h1>",
            "<p>",
            "<!--",
            "<!",
            "<a ",
            "&",
            "<pre>",
            "</h1>",
            "<script>",
            " ",
        ],
        *[" ", "<div>", "<b>", "<b><p>", "<table>", "<div></p>", "<i></b>"],
    ],
)
def test_half_a_megabyte_of_anything_is_read(piece):
    page = piece * (500_000 // len(piece))

    assert len(split_html(page, 6)) <= page.count("<h1") + 1
