"""Which chunker cuts the texts of a model in a space."""

from typing import TYPE_CHECKING

from django.core.exceptions import ImproperlyConfigured

from apps.search.chunking import Chunker, make_chunker
from apps.search.embedders import get_chunker_entry, get_embedder

if TYPE_CHECKING:
    from apps.search.indexed import Indexed


def get_chunker(model: "type[Indexed]", alias: str) -> Chunker:
    """Return the chunker that a space names as CHUNKER, else the model's own, fit for the space's embedder.

    Raises ImproperlyConfigured, which begins with `EMBEDDINGS['alias']:`, for an unusable one.
    """
    entry = get_chunker_entry(alias)
    embedder = get_embedder(alias)
    name = "CHUNKER" if entry is not None else f"{model._meta.label}.chunker"
    try:
        chunker = _get_own(model) if entry is None else make_chunker(entry, name)
        return chunker.fit(embedder)
    except ValueError as error:
        reason = str(error).removeprefix(f"{name}: ")
        raise ImproperlyConfigured(f"EMBEDDINGS[{alias!r}]: {name}: {reason}") from error


def _get_own(model: "type[Indexed]") -> Chunker:
    chunker: object = model.chunker
    if isinstance(chunker, Chunker):
        return chunker
    raise ValueError(
        f"it must be an instance of a subclass of apps.search.chunking.Chunker, not {chunker!r}."
    )
