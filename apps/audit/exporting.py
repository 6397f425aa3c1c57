"""Deeds as files: CSV for spreadsheets, JSON lines for programs."""

import csv
import json
from collections.abc import Iterable, Iterator

from apps.audit.models import Deed

FIELDS = ("at", "who", "what", "on", "whose", "address", "request_id", "details")
FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run what begins so (OWASP, "CSV Injection")


class _Line:
    def write(self, text: str) -> str:
        return text


def write_csv(deeds: Iterable[Deed]) -> Iterator[str]:
    """Yield the lines of a CSV file with a header; a cell that a spreadsheet would run gets an apostrophe."""
    writer = csv.writer(_Line())
    yield writer.writerow(FIELDS)
    for deed in deeds:
        values = _describe(deed)
        details = json.dumps(values.pop("details"), ensure_ascii=False)
        yield writer.writerow([_defuse(str(value)) for value in (*values.values(), details)])


def write_json(deeds: Iterable[Deed]) -> Iterator[str]:
    """Yield a JSON object and a line feed for each deed."""
    for deed in deeds:
        yield json.dumps(_describe(deed), ensure_ascii=False) + "\n"


def _describe(deed: Deed) -> dict[str, object]:
    return {name: getattr(deed, name) for name in FIELDS} | {"at": deed.at.isoformat()}


def _defuse(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULAS) else text
