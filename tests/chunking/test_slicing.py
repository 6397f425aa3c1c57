import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.search.chunking import ParagraphChunker, SentenceChunker, SimpleChunker

from .texts import texts, without_space

CHUNKERS = [SimpleChunker, SentenceChunker, ParagraphChunker]
PROSE = (
    "Every tenant has a schema of its own. Dr. Ada Lovelace wrote the first program, e.g. for Bernoulli "
    "numbers! Was it run? Nobody knows.\n\nThe second paragraph is short.\r\n\r\nThe third one has "
    "\u201cquoted words.\u201d It ends here.\n"
)


@st.composite
def chunkers(draw):
    limit = draw(st.integers(1, 60))
    overlap = draw(st.integers(0, limit - 1))
    return draw(st.sampled_from(CHUNKERS))(limit, overlap, draw(st.sampled_from(["words", "characters"])))


def size(chunk, unit):
    return len(chunk) if unit == "characters" else len(chunk.split())


@given(chunkers(), texts)
def test_no_chunk_is_blank_or_above_the_limit(chunker, text):
    chunks = chunker.chunk(text)

    assert all(chunk.strip() for chunk in chunks)
    assert all(size(chunk, chunker.unit) <= chunker.limit for chunk in chunks)


@given(chunkers(), texts)
def test_the_chunks_without_their_overlap_give_the_text_back(chunker, text):
    spans = list(chunker.spans(text))

    assert without_space("".join(text[span.fresh : span.end] for span in spans)) == without_space(text)


@given(chunkers(), texts)
def test_what_lies_between_two_chunks_is_white_space(chunker, text):
    spans = list(chunker.spans(text))

    assert all(not text[before.end : after.fresh].strip() for before, after in pairwise(spans))


@given(chunkers(), texts)
def test_the_overlap_stays_within_its_limit_and_begins_with_a_whole_word(chunker, text):
    overlaps = [(span, text[span.start : span.fresh].strip()) for span in chunker.spans(text)]

    assert all(size(overlap, chunker.unit) <= chunker.overlap for _, overlap in overlaps)
    assert all(
        span.start == 0 or text[span.start - 1].isspace() or text[span.start - 1] > "\u3000"
        for span, overlap in overlaps
        if overlap and overlap[0] < "\u3000"
    )


@given(chunkers(), texts)
def test_no_chunk_repeats_the_whole_of_the_one_before(chunker, text):
    spans = list(chunker.spans(text))

    assert all(before.start < after.start and before.end < after.end for before, after in pairwise(spans))


@given(chunkers(), st.lists(st.text("abcdé.,!?", min_size=1, max_size=9), max_size=80), st.data())
def test_every_word_that_fits_into_a_chunk_is_whole_in_one(chunker, words, data):
    text = "".join(word + data.draw(st.sampled_from([" ", "\n", "\n\n", "\t"])) for word in words)

    chunks = chunker.chunk(text)

    found = {word for chunk in chunks for word in chunk.split()}
    assert {word for word in words if size(word, chunker.unit) <= chunker.limit} <= found


@given(chunkers(), texts)
def test_a_text_that_fits_is_one_chunk(chunker, text):
    roomy = type(chunker)(10_000, 9_999, chunker.unit)

    chunks = roomy.chunk(text)

    assert [chunk.strip() for chunk in chunks] == ([text.strip()] if text.strip() else [])


@given(chunkers(), st.text(" \t\r\n\u00a0\u2029\u3000"))
def test_a_blank_text_has_no_chunks(chunker, text):
    assert chunker.chunk(text) == []


@given(chunkers(), texts)
def test_the_same_text_gives_the_same_chunks(chunker, text):
    assert chunker.chunk(text) == chunker.chunk(text)


@pytest.mark.parametrize("unit", ["words", "characters"])
@pytest.mark.parametrize(
    "piece",
    ["x", ".", " ", "\n", "\r\n", "a ", ". ", ".\n", "日", "。", "。」", "\n ", "\r\n\r\n", "\n- ", "\ud800"],
)
def test_a_megabyte_of_anything_is_cut_to_the_limit(unit, piece):
    text = piece * (1_000_000 // len(piece))

    spans = list(ParagraphChunker(unit=unit).spans(text))

    assert without_space("".join(text[span.fresh : span.end] for span in spans)) == without_space(text)
    assert all(size(text[span.start : span.end], unit) <= 180 for span in spans)


def test_a_simple_chunk_is_filled_with_words_and_repeats_the_last_ones():
    chunks = SimpleChunker(limit=4, overlap=1).chunk("one two three four five six seven eight")

    assert chunks == ["one two three four", "four five six seven", "seven eight"]


def test_a_limit_in_characters_counts_the_space_between_the_words():
    chunks = SimpleChunker(limit=9, overlap=4, unit="characters").chunk("one two  three four")

    assert chunks == ["one two", "three", "four"]


def test_the_overlap_gives_way_to_the_word_that_follows():
    chunks = SimpleChunker(limit=10, overlap=5, unit="characters").chunk("aaaa bbbbb cccccccc")

    assert chunks == ["aaaa bbbbb", "cccccccc"]


def test_sentences_stay_whole():
    chunks = SentenceChunker(limit=12, overlap=0).chunk(PROSE)

    assert chunks == [
        "Every tenant has a schema of its own.",
        "Dr. Ada Lovelace wrote the first program, e.g. for Bernoulli numbers!",
        "Was it run? Nobody knows.\n\nThe second paragraph is short.",
        "The third one has \u201cquoted words.\u201d It ends here.",
    ]


def test_a_sentence_ends_with_its_whole_word_not_with_the_last_piece_of_it():
    chunks = SentenceChunker(limit=20, overlap=0, unit="characters").chunk("Call a singer. Sit down.")

    assert chunks == ["Call a singer.", "Sit down."]


def test_the_overlap_of_sentences_is_a_whole_sentence_where_one_fits():
    text = "One two. Three four five. Six seven. Eight nine ten."

    chunks = SentenceChunker(limit=7, overlap=3).chunk(text)

    assert chunks == ["One two. Three four five. Six seven.", "Six seven. Eight nine ten."]


def test_the_overlap_of_a_long_sentence_is_its_last_words():
    chunks = SentenceChunker(limit=6, overlap=2).chunk("a b c d e f. G h i.")

    assert chunks == ["a b c d e f.", "e f. G h i."]


def test_a_sentence_above_the_limit_is_cut_between_words():
    chunks = SentenceChunker(limit=4, overlap=0).chunk("Go. one two three four five six. End.")

    assert chunks == ["Go. one two three", "four five six. End."]


def test_paragraphs_are_packed_whole():
    text = "First one. Still first.\n\nSecond one.\n \nThird paragraph here.\r\n\r\nFourth."

    chunks = ParagraphChunker(limit=6, overlap=0).chunk(text)

    assert chunks == ["First one. Still first.\n\nSecond one.", "Third paragraph here.\r\n\r\nFourth."]


def test_a_paragraph_above_the_limit_is_cut_between_its_sentences():
    text = "Short.\n\nOne two three. Four five six. Seven eight.\n\nLast."

    chunks = ParagraphChunker(limit=5, overlap=0).chunk(text)

    assert chunks == ["Short.\n\nOne two three.", "Four five six. Seven eight.", "Last."]


def test_a_paragraph_that_fits_is_not_begun_in_the_chunk_before():
    text = "One two. Three four.\n\nFive six. Seven eight."

    assert ParagraphChunker(limit=6, overlap=0).chunk(text) == [
        "One two. Three four.",
        "Five six. Seven eight.",
    ]


def test_a_line_break_is_no_paragraph():
    text = "a b\r\nc d\r\n\r\ne f"

    assert ParagraphChunker(limit=4, overlap=0).chunk(text) == ["a b\r\nc d", "e f"]


def test_a_word_above_the_limit_is_cut_into_characters():
    chunks = SimpleChunker(limit=8, overlap=0, unit="characters").chunk("ab " + "x" * 20)

    assert chunks == ["ab xxxx", "xxxxxxxx", "xxxxxxxx"]


def test_a_text_without_spaces_does_not_pass_for_one_word():
    chunks = SimpleChunker().chunk("0123456789abcdef" * 10_000)

    assert {len(chunk) for chunk in chunks[:-1]} == {180 * 50}


@pytest.mark.parametrize(
    ("sentence", "characters"),
    [
        ("\u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22", 4),  # Thai
        ("\u0e9e\u0eb2\u0eaa\u0eb2\u0ea5\u0eb2\u0ea7", 4),  # Lao
        ("\u1797\u17b6\u179f\u17b6\u1781\u17d2\u1798\u17c2\u179a", 4),  # Khmer
        ("\u1019\u103c\u1014\u103a\u1019\u102c\u1005\u102c", 4),  # Burmese
    ],
)
def test_characters_of_scripts_without_spaces_count_as_words(sentence, characters):
    text = sentence * 100

    chunks = SimpleChunker(limit=2 * characters, overlap=0).chunk(text)

    assert chunks == [sentence * 2] * 50


def test_ideographs_count_as_words_and_their_full_stop_ends_a_sentence():
    chunks = SentenceChunker(limit=8, overlap=0).chunk("今日は晴れ。明日は雨。")

    assert chunks == ["今日は晴れ。", "明日は雨。"]


def test_code_keeps_its_line_breaks_and_indentation():
    text = (
        "Call it so:\n\n    def load(path):\n        with open(path) as file:\n            return file.read()"
    )

    chunks = ParagraphChunker(limit=6, overlap=0).chunk(text)

    assert chunks == [
        "Call it so:\n\n    def load(path):",
        "        with open(path) as file:\n            return file.read()",
    ]


def test_items_of_a_list_stay_whole():
    text = "Wanted are\n- red apples\n- green pears\n3. Blue plums"

    assert SentenceChunker(limit=7, overlap=0).chunk(text) == [
        "Wanted are\n- red apples",
        "- green pears\n3. Blue plums",
    ]


def test_chunkers_with_the_same_options_are_equal_and_cannot_be_changed():
    chunker = SimpleChunker(limit=10, overlap=2)

    with pytest.raises(AttributeError, match="limit"):
        chunker.limit = 20

    assert chunker == SimpleChunker(10, 2)
    assert chunker != SentenceChunker(10, 2)


@pytest.mark.parametrize("chunker", CHUNKERS)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit": 0}, "limit must be a whole number of at least 1, not 0."),
        ({"limit": 1.5}, "limit must be a whole number of at least 1, not 1.5."),
        ({"limit": True}, "limit must be a whole number of at least 1, not True."),
        ({"overlap": -1}, "overlap must be a whole number from 0 to 179, less than limit, not -1."),
        ({"limit": 30}, "overlap must be a whole number from 0 to 29, less than limit, not 30."),
        ({"overlap": "2"}, "overlap must be a whole number from 0 to 179, less than limit, not '2'."),
        ({"unit": "tokens"}, "unit must be one of 'words', 'characters', not 'tokens'."),
        ({"unit": []}, "unit must be one of 'words', 'characters', not []."),
    ],
)
def test_an_option_out_of_range_is_refused(chunker, options, message):
    with pytest.raises(ValueError, match=f"^{re.escape(f'{chunker.__name__}: {message}')}$"):
        chunker(**options)
