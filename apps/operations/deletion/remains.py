"""What is left of a deleted tenant: the result of looking at one place."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, NamedTuple

ROW = "{:<6}  {:<16}  {}"


class Gone(NamedTuple):
    """The tenant that was deleted: its schema, and its primary key in the registry."""

    schema: str
    pk: int


class Verdict(StrEnum):
    """Nothing is there, something is left, it stays on purpose, or no process can see it."""

    GONE = "gone"
    LEFT = "left"
    KEPT = "kept"
    UNSEEN = "unseen"


@dataclass(frozen=True, slots=True)
class Look:
    """One place: where exactly, how many things were found there, and what to do about them.

    The texts name schemas, tables and numbers, and never what the tenant wrote.
    """

    place: str
    looked_at: str
    verdict: Verdict
    found: int = 0
    remark: str = ""
    fix: str = ""


def judge(place: str, looked_at: str, found: int, fix: str, remark: str = "") -> Look:
    """Return the look: GONE if nothing was found, otherwise LEFT."""
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
    """Yield a table for a terminal, with a fix under each thing that is left."""
    for look in looks:
        found = f": {look['found']} found" if look["found"] else ""
        remark = f" ({look['remark']})" if look["remark"] else ""
        yield ROW.format(look["verdict"], look["place"], f"{look['looked_at']}{found}{remark}")
        if look["fix"]:
            yield ROW.format("", "", f"fix: {look['fix']}")
