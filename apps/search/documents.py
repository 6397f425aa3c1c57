"""What an embedding table stores, as plain data."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.search.options.texts import find_bad_character

MAX_KEY_LENGTH = 512
MAX_KEYS_NAMED = 10  # in an error
ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
JSON_LINES = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",\n", ":"))


class InvalidDocumentError(ValueError):
    """A document cannot be stored; the message names its key and what is allowed."""


class DuplicateDocumentError(ValueError):
    """Documents that had to be new are stored already, or were given twice; `keys` names up to ten."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = list(keys[:MAX_KEYS_NAMED])
        more = " and more" if len(keys) > MAX_KEYS_NAMED else ""
        super().__init__(f"Stored already, or given twice: {', '.join(map(repr, self.keys))}{more}.")


@dataclass(frozen=True, slots=True)
class Document:
    """One chunk of text with its key.

    `document_key` is unique within an index of a space (1 to 512 characters), `metadata` is a JSON object.
    """

    document_key: str
    content: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EmbeddedDocument(Document):
    """A document with its vector, a sequence or an array of shape (dimensions,)."""

    vector: Sequence[float] = ()


def embed(document: Document, vector: Sequence[float]) -> EmbeddedDocument:
    """Return the document with a vector."""
    return EmbeddedDocument(document.document_key, document.content, document.metadata, vector)


def encode_text(text: object, name: str) -> bytes:
    """Return the text in UTF-8.

    Raises ValueError, which begins with `name`, unless it is a str without NUL bytes and lone surrogates.
    """
    if not isinstance(text, str):
        raise ValueError(f"{name} must be a str, not {type(text).__name__}.")
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        encoded = b"\0"
    if 0 in encoded:
        raise ValueError(f"{name} {find_bad_character(text)}. Remove it.")
    return encoded


def encode_metadata(metadata: object, name: str) -> bytes:
    """Return the metadata as JSON in UTF-8.

    Raises ValueError, which begins with `name`, for anything but a mapping, for values that JSON cannot hold
    (NaN and infinity included), and for texts that `encode_text` refuses.
    """
    if not isinstance(metadata, (dict, Mapping)):  # the first alone is quick to tell
        raise ValueError(f"{name} must be a mapping, not {type(metadata).__name__}.")
    try:
        text = JSON.encode(dict(metadata))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{name} is not JSON: {error}.") from error
    if "\\u0000" in text and ESCAPED_NUL.search(text):
        raise ValueError(f"{name} contains a NUL byte. Remove it.")
    return encode_text(text, name)


def encode_together(metadata: Sequence[object]) -> list[bytes] | None:
    """Return what `encode_metadata` returns for each, in a quarter of the time; None when that may differ.

    Encodes all of them as one JSON, and cuts it where one object ends and the next begins. No text can look
    like such a place, since JSON escapes line ends. Lists of objects can, and then there are too many parts.
    """
    if not all(isinstance(each, dict) for each in metadata):
        return None
    try:
        encoded = JSON_LINES.encode(metadata).encode()
    except (TypeError, ValueError, RecursionError):
        return None
    parts = encoded[2:-2].split(b"},\n{")
    if len(parts) != len(metadata) or b"\\u0000" in encoded:
        return None
    return [b"{%b}" % part for part in parts]
