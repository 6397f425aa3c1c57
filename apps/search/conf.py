"""The settings of the search."""

from collections.abc import Mapping
from typing import Any

from tenants.conf import AppSettings


class SearchSettings(AppSettings):
    """Each with its default."""

    EMBEDDINGS: Mapping[str, Any] = {}  # alias -> BACKEND, MODEL, OPTIONS, CHUNKER and LIMITS of a space
    RERANKERS: Mapping[str, Any] = {}  # alias -> BACKEND, OPTIONS, WINDOW and SECONDS of a second look
    EMBEDDING_CACHE: Mapping[str, Any] = {}  # ROWS: vectors that each tenant keeps, 0 for none
    # How many searches of one tenant are at work at once on a machine; 0: half as many as it has processors.
    SEARCHES_AT_ONCE: int = 0
    SEARCHES_IN_LINE: int = 4  # how many more wait in each process; the rest is refused with 503
    SEARCH_PATIENCE: float = 5  # seconds that they wait
    SEARCH_DEFAULT_INDEX: str | None = None  # the index to search when none is named; None: the first by name


conf = SearchSettings()
