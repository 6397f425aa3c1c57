"""Finds the chunker that cuts the texts of a space."""

from django.core.exceptions import ImproperlyConfigured

from apps.search.chunking import Chunker, make_chunker
from apps.search.embedders import get_embedder, get_entry


def get_chunker(own: object, name: str, alias: str) -> Chunker:
    """Return the chunker of a space, fitted to its embedder: the space's CHUNKER, or else `own`.

    Errors call `own` by `name`.

    Raises ImproperlyConfigured, which begins with `EMBEDDINGS['alias']:`, for an unusable one.
    """
    entry = get_entry(alias).get("CHUNKER")
    embedder = get_embedder(alias)
    name = "CHUNKER" if entry is not None else name
    try:
        chunker = own if entry is None else make_chunker(entry, name)
        if not isinstance(chunker, Chunker):
            raise ValueError(
                f"it must be an instance of a subclass of apps.search.chunking.Chunker, not {chunker!r}."
            )
        return chunker.fit(embedder)
    except ValueError as error:
        reason = str(error).removeprefix(f"{name}: ")
        raise ImproperlyConfigured(f"EMBEDDINGS[{alias!r}]: {name}: {reason}") from error
