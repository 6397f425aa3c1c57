"""Short excerpts for result lists, with the words of the query marked."""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cache
from itertools import islice

from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

WORD = re.compile(r"[^\W_]+")
PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^A-Za-z0-9]+")  # of a word in camelCase
BEGINNING = 5  # letters that a word and an abbreviation of it share at least: config, configuration
STEM = 4  # letters that two forms of a word share at least
ENDING = 5  # letters that the longer form may have beyond the shorter one
MOST_WORDS = 64  # of a query that are looked for; as many as a search by words takes
OTHER_ENDING = 3  # and beyond those shared, where the shorter one ends otherwise: query, queries


def make_snippet(content: str, query: str, *, length: int = 240) -> str:
    """Return at most `length` characters of the content around the most words of the query, as plain text.

    White space is folded; an ellipsis stands where text was left out. Of a longer query, the first 64 words
    count.
    """
    text = " ".join(content.split())
    if len(text) <= length:
        return text
    wanted = dict.fromkeys(word for word in WORD.findall(query) if len(word) > 2)
    start = _find_start(text, islice(wanted, MOST_WORDS), length)
    end = start + length
    if end < len(text):
        # Chinese, Japanese and long addresses have no space to cut at.
        space = text.rfind(" ", start + length // 2, end)
        end = space if space > 0 else end
    return ("… " if start else "") + text[start:end].strip() + (" …" if end < len(text) else "")


def mark_words(text: str, words: Collection[str]) -> SafeString:
    """Return the text as escaped HTML, with <mark> around these words; in camelCase, around a part of one."""
    pieces: list[str] = []
    end = 0
    for start, stop in _find_marks(text, words.__contains__):
        pieces += [escape(text[end:start]), format_html("<mark>{}</mark>", text[start:stop])]
        end = stop
    return mark_safe("".join([*pieces, escape(text[end:])]))  # noqa: S308 - each part is escaped


def list_candidates(texts: Iterable[str]) -> list[str]:
    """Return the different words of some texts, and the parts of those in camelCase."""
    words = dict.fromkeys(word for text in texts for word in WORD.findall(text))
    return list(words | dict.fromkeys(part for word in words for part in PART.findall(word)))


def find_alike(candidates: Iterable[str], words: Iterable[str], *, is_by_meaning: bool = True) -> set[str]:
    """Return the candidates that are like one of the words.

    Case and accents do not count. Two words are alike when they share their beginning, at least four letters
    and all but the last of the shorter one: read and reading, query and queries, but not bread and breakfast.
    By meaning, a word of at least five letters is also like one that it begins: config and configuration.
    """
    return set(filter(_make_test(words, is_by_meaning), candidates))


def _find_marks(text: str, is_wanted: Callable[[str], bool]) -> Iterator[tuple[int, int]]:
    for match in WORD.finditer(text):
        if is_wanted(match.group()):
            yield match.span()
            continue
        spans = [part.span() for part in PART.finditer(text, *match.span()) if is_wanted(part.group())]
        for number, (start, stop) in enumerate(spans):
            if number + 1 < len(spans) and spans[number + 1][0] == stop:
                spans[number + 1] = (start, spans[number + 1][1])  # one mark for parts that touch
            else:
                yield start, stop


def _find_start(text: str, words: Iterable[str], length: int) -> int:
    """Return the beginning of a word from which on most words of the query are shown."""
    is_wanted = _make_test(words)
    hits = [start for start, _ in _find_marks(text, is_wanted)]
    if not hits:
        return 0
    lead = min(40, length // 4)  # what is shown before the first word
    shown = [bisect_left(hits, hit + length - lead) - place for place, hit in enumerate(hits)]
    best = hits[shown.index(max(shown))]
    if best < length // 2:
        return 0
    space = text.rfind(" ", best - length // 2, best - lead)
    return space + 1 if space >= 0 else best - lead


def _fold(word: str) -> str:
    decomposed = unicodedata.normalize("NFKD", word.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def _make_test(words: Iterable[str], is_by_meaning: bool = True) -> Callable[[str], bool]:
    """Return the test whether a word is like one of these; the time it takes does not grow with them."""
    wanted: dict[str, set[str]] = {}
    for word in words:
        folded = _fold(word)
        wanted.setdefault(folded[:STEM], set()).add(folded)

    @cache
    def is_wanted(word: str) -> bool:
        folded = _fold(word)
        alike = wanted.get(folded[:STEM], set())
        return folded in alike or any(_is_form(folded, other, is_by_meaning) for other in alike)

    return is_wanted


def _is_form(word: str, other: str, is_by_meaning: bool) -> bool:
    shorter, longer = sorted((word, other), key=len)
    if is_by_meaning and len(shorter) >= BEGINNING and longer.startswith(shorter):
        return True
    if len(shorter) < STEM:
        return False
    if longer.startswith(shorter):
        return len(longer) - len(shorter) <= ENDING
    shared = max(STEM, len(shorter) - 1)
    return word[:shared] == other[:shared] and len(longer) - shared <= OTHER_ENDING
