import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.search.searching.plain_text import remove_marks


@pytest.mark.parametrize(
    ("marked", "plain"),
    [
        ("# Guide {#guide}\n\nText", "Guide\n\nText"),
        ("Title\n=====\n\nText", "Title\n\n\nText"),
        ("A **bold** and *light* word", "A bold and light word"),
        ("Run `make demo` or ``a b``", "Run make demo or a b"),
        ('See [the page](https://example.com/a_b?x=1 "Hint").', "See the page."),
        ("[![build](https://ci.test/x.svg)](https://ci.test)", "build"),
        ("At <https://example.com>", "At https://example.com"),
        ("> quoted", "quoted"),
        ("```python\nx = 1\n```", "\nx = 1\n"),
        ("| a | b |\n|---|:-:|\n| 1 | 2 |", "  a  b  \n\n  1  2  "),
        (">>> f(*args, **kwargs)[0](x)", ">>> f(*args, **kwargs)[0](x)"),
        ("2 * 3 * 4, 2**3**4, a[0] | b, #tag, __init__, snake_case_name", None),
        ("- one\n- two", None),
    ],
)
def test_marks_of_markdown_go_and_all_else_stays(marked, plain):
    if plain is None:
        plain = marked.replace(" | ", "  ")

    assert remove_marks(marked) == plain


@given(st.text(st.sampled_from('ab *`[]()!<>#|=-{}:/\n"http')))
def test_nothing_is_added_but_blanks(text):
    assert len(remove_marks(text).replace("  ", "")) <= len(text)


@pytest.mark.parametrize("part", ["![", "[a](b", "`a", "*a ", "<http://", '[a](b "', "| ", "{#a", "# ", "-|"])
def test_time_grows_with_the_text_not_with_its_square(part):
    def measure(count):
        started = time.process_time()
        remove_marks(part * count)
        return time.process_time() - started

    assert measure(40_000) < 24 * max(measure(5_000), 0.01)
