"""Where a very long word may be cut: between the characters that a reader sees.

After UAX #29, "Grapheme Cluster Boundary Rules", without its rules for Indic conjuncts.
"""

import unicodedata

ZERO_WIDTH_JOINER = "\u200d"
MARKS = ("Mn", "Me", "Mc")


def find_break(text: str, start: int, wanted: int) -> int:
    """Return where to cut text[start:], which is longer: `wanted`, or a few characters before it.

    `wanted` itself where all of it is one grapheme.
    """
    position = wanted
    while position > start and _is_inside(text, start, position):
        position -= 1
    return position if position > start else wanted


def _is_inside(text: str, start: int, position: int) -> bool:
    char, before = text[position], text[position - 1]
    if before == ZERO_WIDTH_JOINER:
        return True
    if char < "\u0300":
        return False
    if _is_flag_letter(char):  # two of them are a flag
        first = position
        while first > start and _is_flag_letter(text[first - 1]):
            first -= 1
        return (position - first) % 2 == 1
    return (
        char == ZERO_WIDTH_JOINER
        or "\u1160" <= char <= "\u11ff"  # the vowel or the end of a Korean syllable
        or "\U0001f3fb" <= char <= "\U0001f3ff"  # the colour of a skin
        or "\U000e0020" <= char <= "\U000e007f"  # tags, as in the flag of Scotland
        or unicodedata.category(char) in MARKS
    )


def _is_flag_letter(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"
