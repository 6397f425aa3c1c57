"""Searches that answer while the embedder does not: by words, and they say so."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from django.db import DatabaseError, transaction

from apps.search.embedders import EmbeddingError
from apps.search.embedders.patience import in_a_hurry

logger = logging.getLogger(__name__)

REASON = "Search by meaning cannot answer just now, so this was searched by words alone."


@dataclass(frozen=True)
class Answer[T]:
    """What a search found, in which mode and, where that is not the one asked for, why."""

    found: T
    mode: str
    degraded: str = ""


def search_or_fall_back[T](search: Callable[[str], T], mode: str) -> Answer[T]:
    """Return what `search(mode)` finds, or `search("keyword")` where that takes an embedder which fails.

    `search` must read its rows before it returns. An embedder is not waited for as long as a worker would.
    The reason that is returned is for anybody; what the embedder said goes to the log. Raises EmbeddingError
    when the search by words fails, too.
    """
    try:
        with in_a_hurry():
            return Answer(search(mode), mode)
    except EmbeddingError as error:
        if mode == "keyword":
            raise
        logger.warning("A search in the mode %s falls back to words. %s", mode, error)
        failure = error
    try:
        with transaction.atomic():  # in a caller's transaction, a failure must not spoil the page
            return Answer(search("keyword"), "keyword", REASON)
    except DatabaseError as error:
        raise failure from error
