"""What an import reads: records that the database can hold, and rejections that say why not."""

import re
from dataclasses import dataclass

LONGEST_KEY = 200  # characters
LONGEST_TITLE = 300  # characters; a longer one is shortened, not rejected
LONGEST_BODY = 2_000_000  # characters
LONGEST_SOURCE = 500  # characters

FIELDS = ("key", "title", "body", "source")
OPTIONAL = ("title", "source")

# PostgreSQL stores neither: NUL ends a C string, and a lone surrogate has no UTF-8.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_TYPES = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}


@dataclass(frozen=True)
class Record:
    """One article to import: its key within the tenant, title, body and the file it was read from."""

    key: str
    title: str
    body: str
    source: str


@dataclass(frozen=True)
class Rejected:
    """What could not be imported: the place (`file` or `file:line`) and the reason, one sentence."""

    place: str
    reason: str


def reject(place: str, reason: str) -> Rejected:
    """Return a rejection whose text can be printed on any terminal, whatever the file is called."""
    return Rejected(_printable(place), _printable(reason))


def make_record(fields: dict[str, object], place: str, source: str) -> Record | Rejected:
    """Return the record of the fields key, title, body and source, or why there is none.

    White space around key, title and source is dropped, a missing title is the key, a missing source the
    file; a title above 300 characters is shortened. Other fields are ignored.
    """
    problem = next(filter(None, (_problem(name, fields) for name in FIELDS)), "")
    if problem:
        return reject(place, problem)
    key, body = str(fields["key"]).strip(), str(fields["body"])
    title = " ".join(str(fields.get("title") or "").split())
    if len(key) > LONGEST_KEY:
        return reject(place, f"The key has {len(key)} characters; at most {LONGEST_KEY} are allowed.")
    if len(body) > LONGEST_BODY:
        return reject(place, f"The body has {len(body):,} characters; at most {LONGEST_BODY:,} are allowed.")
    source = str(fields.get("source") or "").strip()[:LONGEST_SOURCE] or source
    return Record(key, _shorten(title or key), body, _printable(source))


def _problem(name: str, fields: dict[str, object]) -> str:
    value = fields.get(name)
    if value is None:
        return "" if name in OPTIONAL else f"The {name} is missing; key and body are required."
    if not isinstance(value, str):
        return f"The {name} is {_TYPES.get(type(value), 'no text')}; it must be a text."
    if name not in OPTIONAL and not value.strip():
        return f"The {name} is blank; key and body are required."
    match = _UNSTORABLE.search(value)
    if match is None:
        return ""
    kind = "a NUL" if match[0] == "\x00" else f"half a surrogate pair (U+{ord(match[0]):04X})"
    return f"The {name} has {kind} at character {match.start() + 1}; only valid Unicode text is allowed."


def _shorten(title: str) -> str:
    return title if len(title) <= LONGEST_TITLE else title[: LONGEST_TITLE - 1].rstrip() + "\u2026"


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
