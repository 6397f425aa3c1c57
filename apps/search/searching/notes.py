"""What an answer says of itself: why its list is empty, or that nothing in it is near."""

from collections.abc import Mapping
from typing import Any

from apps.search.embedders import OptionGroup, has_entry
from apps.search.filters import compile_filter
from apps.search.indexes.registry import get_noun
from apps.search.options.values import is_number
from apps.search.storage.pgvector.keywords.bm25 import list_words
from apps.search.storage.pgvector.provider import PgVectorProvider
from apps.search.storage.pgvector.tables.distance import COSINE, get_metric
from tenants.context import get_current_tenant

UNREAD = "Many documents were written just now: a search by words finds few of them for some minutes."
WEAK = "No close match. These are the nearest."
NOT_INDEXED = "No {} is indexed here yet. A worker reads new ones, mostly within seconds."
NO_WORDS = (
    "A search by words has nothing to look for here: very common words do not count, and those with a hyphen "
    "before them must not be there."
)
PHRASE_MISSING = "Nothing here holds the phrase in quotes, so this was searched without the quotes."
PHRASE_RARE = "Little here holds the phrase in quotes, so others are listed, too."
GONE = "What was found has just been deleted."


def check_weakness(options: Mapping[str, object]) -> None:
    """Raise ValueError, naming the option, its value and what is allowed, for a bad `weak_below`."""
    weak_below = options.get("weak_below")
    if weak_below is not None and not is_number(weak_below):
        raise ValueError(
            f"weak_below is {weak_below!r}; allowed: a number, the score of a close match, or None."
        )


# OPTIONS of a space: the score below which even the best document of a search by meaning is no close match.
options_of_weakness = OptionGroup(("weak_below",), check_weakness)


def get_weak_below(provider: PgVectorProvider) -> float | None:
    """Return the score below which a document is no close match, or None where nobody has measured it.

    That is the space's option `weak_below`, else its embedder's, which holds for cosine distances.
    """
    options = options_of_weakness.read(provider.space) if has_entry(provider.space) else {}
    if "weak_below" in options or get_metric(provider.model) is not COSINE:
        return options.get("weak_below")
    return provider.embedder.weak_below


def is_weak(provider: PgVectorProvider, score: float) -> bool:
    """Return whether even the best document is no close match; `score` is its, of a search by meaning."""
    weak_below = get_weak_below(provider)
    return weak_below is not None and score < weak_below


def explain_nothing(
    provider: PgVectorProvider, text: str, mode: str, filter: Mapping[str, Any] | None = None
) -> str:
    """Return why a search in this mode finds nothing, as a sentence."""
    noun = get_noun(provider.index_name)
    if not provider.objects.exists():
        return NOT_INDEXED.format(noun)
    if filter and not provider.objects.filter(compile_filter(filter)).exists():
        return f"No {noun} fits the filter."
    if mode != "keyword":
        return GONE
    if not list_words(text, get_current_tenant().search_language):
        return NO_WORDS
    return f"No {noun} that fits the filter holds these words." if filter else f"No {noun} holds these words."
