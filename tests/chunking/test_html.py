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
        ("<h1>a</h1>x<!-- <h2>no</h2>", [(0, "", ""), (1, "a", "x<!--"), (2, "no", "")]),
    ],
)
def test_malformed_pages_are_read_as_far_as_they_go(page, found):
    assert sections(page) == found


def test_headings_deeper_than_asked_are_paragraphs():
    assert sections("<h1>A</h1><h2>B</h2>text", 1) == [(0, "", ""), (1, "A", "B\n\ntext")]


def test_a_declaration_that_the_parser_refuses_is_a_value_error():
    with pytest.raises(ValueError, match="unknown status keyword"):
        split_html("<![foo[x]]>", 6)


@given(st.lists(pieces, max_size=40).map("".join))
def test_any_text_is_read_or_refused_with_a_value_error(page):
    try:
        parts = split_html(page, 6)
    except ValueError:
        return

    assert parts[0].heading == ""
    assert all(part.heading for part in parts[1:])


@pytest.mark.parametrize(
    "piece",
    ["<", "<h1>", "<h1>a", "<h1>a</h1>", "<p>", "<!--", "<!", "<a ", "&", "<pre>", "</h1>", "<script>", " "],
)
def test_half_a_megabyte_of_anything_is_read(piece):
    page = piece * (500_000 // len(piece))

    assert len(split_html(page, 6)) <= page.count("<h1") + 1
