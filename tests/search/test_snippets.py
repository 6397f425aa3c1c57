import re
import time

import pytest
from django.utils.safestring import SafeString
from hypothesis import given
from hypothesis import strategies as st

from apps.search.searching.snippets import find_alike, list_candidates, make_snippet, mark_words

FILLER = "lorem ipsum dolor sit amet " * 40


def mark(text, words):
    return mark_words(text, find_alike(list_candidates([text]), words))


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


def test_time_grows_with_the_text_not_with_its_square():
    hits = 8_000
    started = time.process_time()
    make_snippet("needle " * hits, "needle")
    short = time.process_time() - started
    started = time.process_time()
    make_snippet("needle " * hits * 8, "needle")

    assert time.process_time() - started < 24 * max(short, 0.01)


def test_of_a_very_long_query_the_first_words_count():
    words = [f"{first}{second}zebra" for first in "abcd" for second in "abcdefghijklmnopqrstuvwxyz"]

    found = [word in make_snippet(f"{FILLER} {word} {FILLER}", " ".join(words)) for word in words]

    assert found == [number < 64 for number in range(len(words))]


@given(content=st.text(), query=st.text(), length=st.integers(80, 300))
def test_snippet_is_a_part_of_the_folded_text(content, query, length):
    folded = " ".join(content.split())

    snippet = make_snippet(content, query, length=length)

    assert snippet.removeprefix("… ").removesuffix(" …") in folded
    assert len(snippet) <= length + 4
    assert bool(snippet) == bool(folded)


@pytest.mark.parametrize(
    ("text", "word", "marked"),
    [
        ("The Fox runs", "fox", "The <mark>Fox</mark> runs"),
        ("Café menu", "cafe", "<mark>Café</mark> menu"),
        ("cafe menu", "CAFÉ", "<mark>cafe</mark> menu"),
        ("reading and readers", "read", "<mark>reading</mark> and <mark>readers</mark>"),
        ("I read", "reading", "I <mark>read</mark>"),
        ("queries", "query", "<mark>queries</mark>"),
        ("libraries", "library", "<mark>libraries</mark>"),
        ("encoding", "encode", "<mark>encoding</mark>"),
        ("confuse", "config", "confuse"),
        ("eggs and bread", "breakfast", "eggs and bread"),
        ("readjustment-of", "read", "readjustment-of"),
        ("catalogue", "cat", "catalogue"),
        ("a cat", "cat", "a <mark>cat</mark>"),
        ("cats", "cat", "cats"),
        ("no_such", "such", "no_<mark>such</mark>"),
        ("The configuration", "config", "The <mark>configuration</mark>"),
        ("In config", "configuration", "In <mark>config</mark>"),
        ("RawConfigParser", "config", "Raw<mark>Config</mark>Parser"),
        ("a fileConfig", "config file", "a <mark>fileConfig</mark>"),
        ("an HTTPServer2", "server", "an HTTP<mark>Server</mark>2"),
    ],
)
def test_forms_of_a_word_are_marked(text, word, marked):
    assert mark(text, word.split()) == marked


def test_by_words_no_word_is_like_one_that_it_begins():
    assert find_alike(["configuration", "configs"], ["config"], is_by_meaning=False) == {"configs"}


def test_what_is_marked_may_be_a_part_of_a_word():
    assert mark_words("Mice ran, mice", {"Mice"}) == "<mark>Mice</mark> ran, mice"
    assert mark_words("aRanB", {"Ran"}) == "a<mark>Ran</mark>B"


def test_candidates_are_the_different_words_and_their_parts():
    words = list_candidates(["read_it RawConfigParser", "read <b>"])

    assert sorted(words) == ["Config", "Parser", "Raw", "RawConfigParser", "b", "it", "read"]


def test_everything_is_escaped():
    snippet = mark(
        "<script>alert(\"x\")</script> & <b onclick='y'>", ["script", "onclick", "alert", "</mark>"]
    )

    assert snippet == (
        "&lt;<mark>script</mark>&gt;<mark>alert</mark>(&quot;x&quot;)&lt;/<mark>script</mark>&gt; &amp; "
        "&lt;b <mark>onclick</mark>=&#x27;y&#x27;&gt;"
    )
    assert isinstance(snippet, SafeString)


def test_a_short_word_is_marked_as_any_other():
    assert mark("to be or C", ["c"]) == "to be or <mark>C</mark>"


def test_nothing_to_mark_leaves_the_text():
    assert mark("a <b>", []) == "a &lt;b&gt;"
    assert mark("", ["word"]) == ""


def test_snippet_is_cut_around_the_words_and_marked():
    cut = make_snippet(f"{FILLER} needles in hay {FILLER}", "needle hay", length=80)
    snippet = mark(cut, ["needle", "hay"])

    assert "<mark>needles</mark> in <mark>hay</mark>" in snippet
    assert snippet.startswith("… ")
    assert snippet.endswith(" …")
    assert len(re.sub("</?mark>", "", snippet)) <= 84


@pytest.mark.parametrize("length", [20, 50, 120, 240])
def test_word_searched_for_is_inside_whatever_the_length(length):
    for before in range(0, 400, 7):
        content = f"{'x ' * before}needle {'y ' * 200}"

        assert "needle" in make_snippet(content, "needle", length=length)


@given(content=st.text(max_size=400), query=st.text(max_size=60), length=st.integers(10, 100))
def test_marked_snippet_says_what_the_plain_one_says(content, query, length):
    cut = make_snippet(content, query, length=length)

    marked = mark(cut, query.split())

    plain = re.sub("</?mark>", "", marked)
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&#x27;", "'"), ("&amp;", "&")):
        plain = plain.replace(entity, character)
    assert plain == cut
    assert marked.count("<mark>") == marked.count("</mark>")
    assert "<" not in re.sub("</?mark>", "", marked)
