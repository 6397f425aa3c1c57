import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.search.snippets import make_snippet

FILLER = "lorem ipsum dolor sit amet " * 40


def test_short_content_is_shown_whole_with_its_white_space_folded():
    assert make_snippet(" A\n\n short\ttext ", "text") == "A short text"


def test_without_a_hit_the_beginning_is_shown():
    snippet = make_snippet(FILLER, "nowhere")

    assert snippet.startswith("lorem ipsum")
    assert snippet.endswith(" …")


def test_words_of_the_query_are_shown_whatever_their_case():
    snippet = make_snippet(f"{FILLER} the Configuration file {FILLER}", "CONFIGURATION files?")

    assert "the Configuration file" in snippet
    assert snippet.startswith("… ")
    assert snippet.endswith(" …")


def test_place_with_the_most_words_is_chosen():
    content = f"red {FILLER} red apples ripen {FILLER} apples {FILLER}"

    assert "red apples ripen" in make_snippet(content, "ripen red apples")


def test_hit_at_the_end_ends_without_an_ellipsis():
    snippet = make_snippet(f"{FILLER} needle", "needle")

    assert snippet.startswith("… ")
    assert snippet.endswith("needle")


def test_hit_behind_a_very_long_word_is_shown():
    assert "needle" in make_snippet(f"a {'x' * 600} needle {FILLER}", "needle")


@pytest.mark.parametrize("content", ["漢字" * 500, "x" * 1000, "a " + "x" * 1000, "See: " + "日本語。" * 300])
def test_text_without_spaces_fills_the_snippet(content):
    assert len(make_snippet(content, "nowhere")) > 200


@given(content=st.text(), query=st.text(), length=st.integers(80, 300))
def test_snippet_is_a_part_of_the_folded_text(content, query, length):
    folded = " ".join(content.split())

    snippet = make_snippet(content, query, length=length)

    assert snippet.removeprefix("… ").removesuffix(" …") in folded
    assert len(snippet) <= length + 4
    assert bool(snippet) == bool(folded)
