"""What one look for the remains of a tenant found."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, NamedTuple

ROW = "{:<6}  {:<16}  {}"


class Gone(NamedTuple):
    """Of whom remains are looked for: the schema's name, and the primary key in the registry."""

    schema: str
    pk: int


class Verdict(StrEnum):
    """Nothing is there; something is left; it stays on purpose; or nobody can see."""

    GONE = "gone"
    LEFT = "left"
    KEPT = "kept"
    UNSEEN = "unseen"


@dataclass(frozen=True, slots=True)
class Look:
    """One place: how it was looked at, how many things were found, and what to do about them.

    The texts name schemas, tables and numbers, and never what the tenant wrote.
    """

    place: str
    looked_at: str
    verdict: Verdict
    found: int = 0
    remark: str = ""
    fix: str = ""


def judge(place: str, looked_at: str, found: int, fix: str, remark: str = "") -> Look:
    """Return a look that is clean when nothing was found."""
    if not found:
        return Look(place, looked_at, Verdict.GONE)
    return Look(place, looked_at, Verdict.LEFT, found, remark, fix)


def count_left(looks: Iterable[dict[str, Any]]) -> int:
    """Return in how many places something is left."""
    return sum(look["verdict"] == Verdict.LEFT for look in looks)


def as_dicts(looks: Iterable[Look]) -> list[dict[str, Any]]:
    """Return the looks for JSON."""
    return [asdict(look) for look in looks]


def as_lines(looks: Iterable[dict[str, Any]]) -> Iterable[str]:
    """Yield a table for a terminal; under what is left, what to do."""
    for look in looks:
        found = f": {look['found']} found" if look["found"] else ""
        remark = f" ({look['remark']})" if look["remark"] else ""
        yield ROW.format(look["verdict"], look["place"], f"{look['looked_at']}{found}{remark}")
        if look["fix"]:
            yield ROW.format("", "", f"fix: {look['fix']}")
