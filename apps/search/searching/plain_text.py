"""Texts without the marks of Markdown, which would be noise in an excerpt."""

import re

# Each stays within a line and stops where it could begin again, so that its time grows with the text.
_STEPS = [
    (re.compile(r"^[ \t]*(?:={3,}|-{3,}|\*{3,}|`{3,}[\w+-]*|~{3,}[\w+-]*|[|:][-|: ]{2,})[ \t]*$", re.M), ""),
    (re.compile(r"^[ \t]*(?:#{1,6}[ \t]+|>(?!>)[ \t]?)", re.M), ""),
    (re.compile(r"[ \t]*\{#[\w-]{1,200}\}[ \t]*$", re.M), ""),
    (re.compile(r"^[ \t]*\|[ \t]*|[ \t]*\|[ \t]*$|(?<=\S)[ \t]+\|[ \t]+(?=\S)", re.M), "  "),
    (re.compile(r"!\[([^\[\]\n]*)\]\([^()\s]*(?:[ \t]+\"[^\"\n]*\")?\)"), r"\1"),
    (re.compile(r"(?<![\w\])])\[([^\[\]\n]*)\]\([^()\s]+(?:[ \t]+\"[^\"\n]*\")?\)"), r"\1"),
    (re.compile(r"<((?:https?://|mailto:)[^\s<>]+)>"), r"\1"),
    (re.compile(r"(?<!`)(`{1,2})(?!`)([^`\n]+)\1(?!`)"), r"\2"),
    (re.compile(r"(?<![\w*])(\*{1,3})(?=[^\s*])([^*\n]+)(?<=\S)\1(?![\w*])"), r"\2"),
]


def remove_marks(text: str) -> str:
    """Return a text without headings' #, emphasis, code's quotes, links' targets and tables' bars.

    Other texts stay as they are, apart from what looks the same in them, such as underlines.
    """
    for pattern, replacement in _STEPS:
        text = pattern.sub(replacement, text)
    return text
