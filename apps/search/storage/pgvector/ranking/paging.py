"""Pages of a search. Each begins after the last row of the page before, so new rows do not shift them."""

import base64
import math
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Q

MAX_CURSOR_LENGTH = 300  # characters
SEPARATOR = "~"
EXACT, CAST = "exact", "cast"


class InvalidCursorError(ValueError):
    """A cursor was not made by a page of this index in this space and tenant."""


@dataclass(frozen=True)
class Page:
    """The rows of a page, nearest first, and the cursor of the next page; None after the last row."""

    rows: list[Any]
    next: str | None


@dataclass(frozen=True)
class Cursor:
    """The place of a row in the order of (distance, primary key).

    `is_cast` says that the distance is that of the ANN index's cast, which rounds the vectors.
    """

    distance: float
    pk: Any
    is_cast: bool

    def get_condition(self) -> Q:
        """Return the condition for the rows after it."""
        return Q(distance__gt=self.distance) | Q(distance=self.distance, pk__gt=self.pk)


def write_cursor(cursor: Cursor, owner: tuple[str, ...]) -> str:
    """Return the cursor as text for a URL; `owner` names what is paged."""
    mode = CAST if cursor.is_cast else EXACT
    text = SEPARATOR.join([_digest(owner), mode, cursor.distance.hex(), str(cursor.pk)])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(text: object, owner: tuple[str, ...], pk_field: Any) -> Cursor:
    """Return the cursor that `write_cursor` wrote. Raises InvalidCursorError for any other text."""
    try:
        if not isinstance(text, str) or len(text) > MAX_CURSOR_LENGTH:
            raise ValueError("no text, or too long")
        decoded = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
        digest, mode, distance, pk_text = decoded.split(SEPARATOR, 3)
        cursor = Cursor(float.fromhex(distance), pk_field.to_python(pk_text), mode == CAST)
    except (ValueError, OverflowError, ValidationError) as error:
        raise _invalid(text) from error
    if digest != _digest(owner):
        raise InvalidCursorError(
            f"The cursor {text!r} is one of another index, space or tenant; use `next` of the page before."
        )
    if not math.isfinite(cursor.distance) or write_cursor(cursor, owner) != text:
        raise _invalid(text)
    return cursor


def _digest(owner: tuple[str, ...]) -> str:
    return sha256("\0".join(owner).encode()).hexdigest()[:12]


def _invalid(text: object) -> InvalidCursorError:
    shown = text[:40] if isinstance(text, str) else text
    return InvalidCursorError(f"{shown!r} is not a cursor; use `next` of the page before.")
