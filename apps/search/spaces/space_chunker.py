"""Which chunker cuts texts in a space."""

from django.core.exceptions import ImproperlyConfigured

from apps.search.chunking import Chunker, make_chunker
from apps.search.embedders import get_embedder, get_entry


def get_chunker(own: object, name: str, alias: str) -> Chunker:
    """Return the chunker that a space names as CHUNKER, else `own`, called `name`, fit for its embedder.

    Raises ImproperlyConfigured, which begins with `EMBEDDINGS['alias']:`, for an unusable one.
    """
    entry = get_entry(alias).get("CHUNKER")
    embedder = get_embedder(alias)
    name = "CHUNKER" if entry is not None else name
    try:
        chunker = _check_own(own) if entry is None else make_chunker(entry, name)
        return chunker.fit(embedder)
    except ValueError as error:
        reason = str(error).removeprefix(f"{name}: ")
        raise ImproperlyConfigured(f"EMBEDDINGS[{alias!r}]: {name}: {reason}") from error


def _check_own(chunker: object) -> Chunker:
    if isinstance(chunker, Chunker):
        return chunker
    raise ValueError(
        f"it must be an instance of a subclass of apps.search.chunking.Chunker, not {chunker!r}."
    )
