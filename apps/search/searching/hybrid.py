"""Three ways to search one index: by meaning, by words, and by both."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

from django.db import connections
from django.db.models import FloatField, Q, QuerySet, Value

from apps.search.embedders import BaseEmbedder, has_entry
from apps.search.embedders.base import Vectors
from apps.search.options.languages import is_foreign
from apps.search.searching.fusion import FUSIONS, Ranking, in_fused_order, options_of_fusion
from apps.search.storage.pgvector.keywords.bm25 import match_keywords
from apps.search.storage.pgvector.keywords.conditions import find_condition, get_meant
from apps.search.storage.pgvector.provider import PgVectorProvider
from apps.search.storage.pgvector.searching.nearest import NearestQuerySet
from apps.search.storage.pgvector.searching.query_vectors import embed_query
from tenants.context import get_current_tenant

MODES = ("semantic", "keyword", "hybrid")
WINDOW = 100  # rows of each half that are fused; 300 take 1.4 times as long
EQUAL = (1.0, 1.0)  # what meaning and words count
FOREIGN = (0.15, 0.85)  # where the query is in a language that the embedder was not trained for


def search_by_mode(
    provider: PgVectorProvider, text: str, mode: str = "semantic", *, filter_q: Q | None = None, **fusion: Any
) -> QuerySet:
    """Return the documents that fit a text, the best first, with `score`; `fusion` is for hybrid only.

    Semantic finds by meaning, and always finds something; keyword finds documents that hold a word of the
    text; hybrid fuses both. In every mode, a "phrase in quotes" must be in a document, and a -word must not.
    Scores of different modes cannot be compared. Raises ValueError for an unknown mode and what the mode's
    own function raises.
    """
    if mode == "hybrid":
        return search_hybrid(provider, text, filter_q=filter_q, **fusion)
    if mode == "keyword":
        return search_keywords(provider, text, filter_q=filter_q)
    if mode == "semantic":
        return search_semantic(provider, text, filter_q=filter_q)
    raise ValueError(f"There is no mode {mode!r}. Allowed: {', '.join(MODES)}.")


def search_semantic(provider: PgVectorProvider, text: str, *, filter_q: Q | None = None) -> NearestQuerySet:
    """Return the documents nearest to a text; see PgVectorProvider.nearest.

    What the text excludes is not embedded, but is a condition, as its phrases are. Raises InvalidTextError
    for a text that cannot be embedded, EmbeddingError when the embedder fails.
    """
    vector = provider.embed_query(get_meant(text))
    return search_nearest(provider, vector, text, filter_q=filter_q)


def search_nearest(
    provider: PgVectorProvider, vector: Vectors, text: str, *, filter_q: Q | None = None
) -> NearestQuerySet:
    """Return the documents nearest to a vector, shape (dimensions,), that fit the conditions of a text."""
    rows = provider.nearest(vector)
    with provider.switched():
        condition = find_condition(text, get_current_tenant().search_language)
    for each in (filter_q, condition):
        rows = rows.filter(each) if each else rows  # an unfiltered search is planned more quickly
    return rows


def search_keywords(provider: PgVectorProvider, text: str, *, filter_q: Q | None = None) -> QuerySet:
    """Return the documents that hold words of a text, in the tenant's language; see match_keywords.

    Raises InvalidTextError for a text with NUL bytes or lone surrogates.
    """
    rows = provider.objects.filter(filter_q or Q())
    tenant = rows.query.tenant or get_current_tenant()  # type: ignore[attr-defined]
    with provider.switched():  # the words are counted here and now
        return match_keywords(rows, text, tenant.search_language)


def search_hybrid(
    provider: PgVectorProvider,
    text: str,
    *,
    window: int = WINDOW,
    method: str | None = None,
    weights: Sequence[float] | None = None,
    filter_q: Q | None = None,
) -> QuerySet:
    """Return what both searches find, fused: at most `window` documents of each, the best first.

    `method` is one of FUSIONS; `weights` say how much meaning and words count. By default both are the
    space's (OPTIONS: fusion, fusion_weights), else "minmax" and 1 each, or FOREIGN for a query in a language
    that the embedder was not trained for. Reads both rankings at once and returns a lazy queryset. Where no
    document holds a word of the text, each row has the nearest one's score by meaning as `wordless_score`,
    else None. Raises ValueError for a bad argument and what the two searches raise.
    """
    with provider.switched():
        options = options_of_fusion.read(provider.space) if has_entry(provider.space) else {}
        language = get_current_tenant().search_language
    method = method or options.get("fusion", "minmax")
    weights = weights or options.get("fusion_weights")
    if weights is None:
        weights = FOREIGN if is_foreign(text, provider.embedder.languages, language) else EQUAL
    if method not in FUSIONS:
        raise ValueError(f"There is no fusion {method!r}. Allowed: {', '.join(FUSIONS)}.")
    if window < 1:
        raise ValueError(f"window is {window!r}; it must be 1 or more.")
    by_meaning, by_words = _read_halves(provider, text, window, filter_q)
    fused = FUSIONS[method]([by_meaning, by_words], weights=weights)
    wordless = by_meaning[0][1] if by_meaning and not by_words else None
    rows = in_fused_order(provider.objects, fused)
    return rows.annotate(wordless_score=Value(wordless, FloatField()))


def _read_halves(
    provider: PgVectorProvider, text: str, window: int, filter_q: Q | None
) -> tuple[Ranking, Ranking]:
    """Return both rankings; the text is embedded in a thread of its own while its words are looked for."""
    embedder, meant = provider.embedder, get_meant(text)  # here: the embedder may stand in the database
    with ThreadPoolExecutor(1, "embedding") as beside:
        vector = beside.submit(copy_context().run, _embed_beside, provider, embedder, meant)
        by_words = search_keywords(provider, text, filter_q=filter_q)[:window]
        worded: Ranking = list(by_words.values_list("pk", "score"))
        by_meaning = search_nearest(provider, vector.result(), text, filter_q=filter_q)[:window]
    return list(by_meaning.values_list("pk", "score")), worded


def _embed_beside(provider: PgVectorProvider, embedder: BaseEmbedder, text: str) -> Vectors:
    try:
        with provider.switched():
            return embed_query(embedder, text)
    finally:
        connections.close_all()  # this thread's, if an embedder opened any
