import pytest

from apps.search.chunking import SimpleChunker
from apps.search.chunking.graphemes import find_break


@pytest.mark.parametrize(
    ("text", "wanted", "found"),
    [
        ("abcd", 2, 2),
        ("e\u0301e\u0301", 3, 2),
        ("a👨‍👩‍👧b", 4, 1),
        ("a👨‍👩‍👧b", 6, 6),
        ("a👍🏽", 2, 1),
        ("🇩🇪🇫🇷", 2, 2),
        ("🇩🇪🇫🇷", 3, 2),
        ("a🇩🇪🇫🇷🇮🇹", 4, 3),
        ("\u1112\u1161\u11ab\u1100\u1173\u11af", 5, 3),
        ("葛\U000e0100葛", 1, 1),
        ("नि", 1, 1),
        ("aनि", 2, 1),
    ],
)
def test_a_break_lies_before_a_whole_grapheme_where_one_fits(text, wanted, found):
    assert find_break(text, 0, wanted) == found


@pytest.mark.parametrize("grapheme", ["か\u3099", "葛\U000e0100", "ﾊ\uff9f"])
def test_a_mark_stays_with_its_ideograph(grapheme):
    assert SimpleChunker(limit=1, overlap=0).chunk(grapheme * 3) == [grapheme] * 3


def test_a_long_word_is_cut_between_graphemes():
    chunks = SimpleChunker(limit=40, overlap=0, unit="characters").chunk("👨‍👩‍👧" * 30)

    assert {len(chunk) % 5 for chunk in chunks} == {0}
