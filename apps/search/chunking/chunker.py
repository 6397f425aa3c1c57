"""Chunker: what every chunker promises, what it may ask of an embedder, and how settings name one."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from apps.search.options.instances import import_backend, make_instance
from apps.search.options.values import require_dict, require_known


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a text, with the metadata, a JSON object, that the document made from it gets."""

    text: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


class Span(NamedTuple):
    """One chunk as offsets in characters into the text.

    text[start:end] is the chunk; text[start:fresh] repeats the end of the chunk before it.
    """

    start: int
    fresh: int
    end: int


class Tokenizer(Protocol):
    """What a chunker asks of an embedder; every `apps.search.embedders.BaseEmbedder` has it."""

    @property
    def token_limit(self) -> int | None:
        """How many tokens of a document's text are read; None when there is no limit."""

    def count_tokens(self, text: str) -> int:
        """Return how many tokens a text has."""

    def find_tokens(self, text: str) -> Sequence[tuple[int, int]]:
        """Return where the tokens of a text begin and end, in characters."""


class Chunker(ABC):
    """Cuts a text into chunks. A subclass writes `chunk`.

    When CHUNKER in settings.EMBEDDINGS names it, its OPTIONS are the parameters of its constructor, which
    raises ValueError for a bad one.
    """

    @abstractmethod
    def chunk(self, text: str) -> Sequence[str | Chunk]:
        """Return the chunks of the text in its order, a str for one without metadata of its own.

        A blank text has none. The same text gives the same chunks.
        """

    def fit(self, tokenizer: Tokenizer) -> "Chunker":
        """Return the chunker for the texts of this embedder.

        Called before any text is cut, and cheap. Raises ValueError for options that it cannot serve.
        """
        return self

    def make_room(self, lead: str) -> "Chunker | None":
        """Return the chunker that keeps its limit with this text before each chunk.

        None when the lead would take more than half of the limit.
        """
        return self


def as_chunk(piece: str | Chunk) -> Chunk:
    """Return a piece that a chunker gave as a Chunk."""
    return Chunk(piece) if isinstance(piece, str) else piece


def make_chunker(entry: object, name: str) -> Chunker:
    """Return the chunker of an entry {"BACKEND": dotted path, "OPTIONS": {...}}.

    Raises ValueError that begins with the name of the entry and says what is wrong with it.
    """
    try:
        given = require_dict("it", entry)
        require_known("key", given, ("BACKEND", "OPTIONS"))
        chunker_class = import_backend(given.get("BACKEND"), Chunker, "a chunker")  # type: ignore[type-abstract]
        return make_instance(chunker_class, require_dict("OPTIONS", given.get("OPTIONS", {})))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
