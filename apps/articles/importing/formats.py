"""Read the records out of one open file; one function for each format.

Every reader takes a binary stream and the file's label (its path below the folder that was imported) and
yields a Record or a Rejected for everything that claims to be a record. Streams raise OSError.
"""

import csv
import io
import json
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import BinaryIO, TextIO

from apps.articles.importing.records import FIELDS, Record, Rejected, make_record, reject
from apps.search.chunking.files import Extract, decode, extract_html, extract_markdown

LONGEST_RECORD = 32_000_000  # bytes held for one record: the longest body, all in \uXXXX escapes, and more

Reader = Callable[[BinaryIO, str], Iterator[Record | Rejected]]

_QUOTING = "quotes within a quoted field must be doubled and each opened quote closed"
_SMUGGLED_BYTE = re.compile("[\udc80-\udcff]")  # how "surrogateescape" (PEP 383) hands over what is not UTF-8


def _too_long(what: str) -> str:
    return f"The {what} is too long; at most {LONGEST_RECORD:,} bytes are allowed."


def _not_utf8(value: int, position: int) -> str:
    return f"Byte {position} of the line (0x{value:02x}) is not valid UTF-8; save the file as UTF-8."


def _whole_file(extract: Callable[[str], Extract]) -> Reader:
    def read(stream: BinaryIO, label: str) -> Iterator[Record | Rejected]:
        yield _read_whole(stream.read(LONGEST_RECORD + 1), label, extract)

    return read


def _read_whole(data: bytes, label: str, extract: Callable[[str], Extract]) -> Record | Rejected:
    if len(data) > LONGEST_RECORD:
        return reject(label, _too_long("file"))
    data = data.removeprefix(BOM_UTF8)
    try:
        text = decode(data)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        position = error.start - data.rfind(b"\n", 0, error.start)
        return reject(f"{label}:{line}", _not_utf8(data[error.start], position))
    if not text.strip():
        return reject(label, "The file is empty; it must have some text.")
    key, title, body = extract(text)
    return make_record(
        {"key": key or label, "title": title or PurePath(label).stem, "body": body}, label, label
    )


def read_jsonl(stream: BinaryIO, label: str) -> Iterator[Record | Rejected]:
    """Yield a record for each line that is a JSON object (RFC 8259); blank lines are passed over."""
    number = 0
    empty = True
    while line := stream.readline(LONGEST_RECORD + 1):
        number += 1
        place = f"{label}:{number}"
        if len(line) > LONGEST_RECORD:
            empty = False
            _skip_line(stream, line)
            yield reject(place, _too_long("line"))
        elif line := line.removeprefix(BOM_UTF8 if number == 1 else b"").rstrip():
            empty = False
            yield _read_json(line, place, label)
    if empty:
        yield reject(label, "The file is empty; it must have one JSON object a line.")


def _skip_line(stream: BinaryIO, line: bytes) -> None:
    while line and not line.endswith(b"\n"):
        line = stream.readline(LONGEST_RECORD)


def _read_json(line: bytes, place: str, source: str) -> Record | Rejected:
    try:
        fields = json.loads(line.decode())
    except UnicodeDecodeError as error:
        return reject(place, _not_utf8(line[error.start], error.start + 1))
    except json.JSONDecodeError as error:
        return reject(place, f"The line is not valid JSON: {error.msg} at column {error.colno}.")
    except (ValueError, RecursionError) as error:  # thousands of digits or of brackets
        return reject(place, f"The line is JSON that cannot be read: {error}.")
    if not isinstance(fields, dict):
        return reject(place, "The line must be a JSON object with key, title and body, like {...}.")
    return make_record(fields, place, source)


def read_csv(stream: BinaryIO, label: str) -> Iterator[Record | Rejected]:
    """Yield a record for each row below the header (RFC 4180); blank rows are passed over."""
    header: list[str] | None = None
    for place, row, problem in _rows(stream, label):
        if header is None:
            header = [name.strip().lower() for name in row]
            times = [header.count(name) for name in FIELDS]
            if not problem and not ({"key", "body"} <= set(header) and max(times) == 1):
                problem = (
                    "The header must name each of key, title, body once, separated by commas, "
                    f"not {','.join(header)!r}."
                )
            if problem:
                yield reject(place, problem)
                return
        else:
            yield reject(place, problem) if problem else _read_row(header, row, place, label)
    if header is None:
        yield reject(label, "The file is empty; it must have a header and rows.")


def _rows(stream: BinaryIO, label: str) -> Iterator[tuple[str, list[str], str]]:
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_RECORD))
    # Bytes that are not UTF-8 are smuggled through, so that they reject their own row only.
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    lines = _Lines(text)
    rows = csv.reader(lines, strict=True)
    try:
        while True:
            place = f"{label}:{lines.number + 1}"
            try:
                row = next(rows, None)
            except csv.Error as error:
                yield place, [], f"This is not valid CSV up to line {lines.number}: {error}; {_QUOTING}."
                continue
            if row is None:
                return
            if row:
                yield place, row, ""
    finally:
        text.detach()  # or it would close the stream, whose owner still asks for its position


class _Lines:
    """The lines of a CSV file, counted; an iterator that goes on after the error of a line too long."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(LONGEST_RECORD + 1)
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) <= LONGEST_RECORD:
            return line
        while line and not line.endswith(("\n", "\r")):
            line = self._text.readline(LONGEST_RECORD)
        raise csv.Error(f"a line is above {LONGEST_RECORD:,} characters")


def _read_row(header: list[str], row: list[str], place: str, source: str) -> Record | Rejected:
    for cell in row:
        if match := _SMUGGLED_BYTE.search(cell):
            byte = ord(match[0]) - 0xDC00
            return reject(
                place, f"The row has the byte 0x{byte:02x}, not valid UTF-8; save the file as UTF-8."
            )
    if len(row) != len(header):
        return reject(place, f"The row has {len(row)} columns; the header has {len(header)}.")
    return make_record(dict(zip(header, row, strict=True)), place, source)


READERS: dict[str, Reader] = {
    ".txt": _whole_file(lambda text: Extract(None, text.lstrip().partition("\n")[0], text)),
    ".md": _whole_file(extract_markdown),
    ".html": _whole_file(extract_html),
    ".htm": _whole_file(extract_html),
    ".jsonl": read_jsonl,
    ".csv": read_csv,
}
