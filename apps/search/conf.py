"""The settings of the search."""

from collections.abc import Mapping
from typing import Any

from tenants.conf import AppSettings


class SearchSettings(AppSettings):
    """Each with its default."""

    EMBEDDINGS: Mapping[str, Any] = {}  # alias -> BACKEND, MODEL, OPTIONS, CHUNKER and LIMITS of a space
    EMBEDDING_CACHE: Mapping[str, Any] = {}  # ROWS: vectors that each tenant keeps, 0 for none
    SEARCH_DEFAULT_INDEX: str | None = None  # the index to search when none is named; None: the first by name


conf = SearchSettings()
