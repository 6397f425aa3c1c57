"""Short excerpts for result lists."""

import re

WORD = re.compile(r"\w+")


def make_snippet(content: str, query: str, *, length: int = 240) -> str:
    """Return at most `length` characters of the content around the most words of the query, as plain text.

    White space is folded; an ellipsis stands where text was left out.
    """
    text = " ".join(content.split())
    if len(text) <= length:
        return text
    start = _best_start(text, {word.lower() for word in WORD.findall(query) if len(word) > 2}, length)
    end = start + length
    if end < len(text):
        # Chinese, Japanese and long addresses have no space to cut at.
        space = text.rfind(" ", start + length // 2, end)
        end = space if space > 0 else end
    return ("… " if start else "") + text[start:end].strip() + (" …" if end < len(text) else "")


def _best_start(text: str, words: set[str], length: int) -> int:
    """Where to begin so that most words of the query are shown, at the beginning of a word."""
    hits = [match.start() for match in WORD.finditer(text) if match.group().lower() in words]
    if not hits:
        return 0
    best = max(hits, key=lambda hit: sum(hit <= other < hit + length - 40 for other in hits))
    if best < length // 2:
        return 0
    space = text.rfind(" ", best - length // 2, best - 40)
    return space + 1 if space >= 0 else best - 40
