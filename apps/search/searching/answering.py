"""One search, from what is asked to the answer: the page, the API and the command only render it."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from django.db import DatabaseError, DataError, InternalError, transaction
from django.dispatch import Signal
from django.http import HttpRequest

from apps.search.embedders import EmbeddingError
from apps.search.endpoints.patience import in_a_hurry
from apps.search.filters import compile_filter, count_all_facets
from apps.search.providers import get_provider
from apps.search.rerankers.second_look import FAILED, reporting
from apps.search.searching.access import search_share
from apps.search.searching.explaining import Explanation, explain_search
from apps.search.searching.notes import (
    PHRASE_MISSING,
    PHRASE_RARE,
    UNREAD,
    WEAK,
    explain_nothing,
    is_weak,
)
from apps.search.searching.results import Result, mark_results, search_object_page, search_page
from apps.search.storage.pgvector.keywords.pending import left_unread
from apps.search.storage.pgvector.provider import PgVectorProvider
from tenants.context import connection

logger = logging.getLogger(__name__)

search_answered = Signal()  # request=HttpRequest, asked=SearchRequest, answer=SearchAnswer or None

REASON = "Search by meaning cannot answer just now, so this was searched by words alone."
REFUSED = "The database cannot carry out this search. Say it in other words, or with another filter."
LATER = "Search by meaning cannot answer just now. Ask again later for this page of its list."


class RefusedSearchError(Exception):
    """PostgreSQL cannot read what a valid search asks; the message is for who asked."""


@dataclass(frozen=True)
class SearchRequest:
    """What is asked; the fields are those of SearchForm, which validates them."""

    q: str
    index: str
    limit: int = 10
    filter: Mapping[str, Any] | None = None
    mode: str = "semantic"
    explain: bool = False
    facets: Sequence[str] = ()
    after: str = ""
    by: str = "document"


@dataclass(frozen=True)
class SearchAnswer:
    """What was found, in which space and mode; `degraded` says why it is not the mode that was asked for.

    `note` says why nothing was found, that even the best result is no close match, that results lack the
    phrase of the query, or that the second look failed; mostly it is empty.
    `next` is the cursor of the next page, where there is one. `facets` has, for each key asked for, the 20
    most frequent values of the documents that fit the filter.
    """

    results: list[Result]
    space: str
    mode: str
    degraded: str = ""
    note: str = ""
    next: str | None = None
    explanation: Explanation | None = None
    facets: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


def answer_documents(asked: SearchRequest) -> SearchAnswer:
    """Search for documents or, if asked by "object", for objects, each by its best document; in pages.

    Where the embedder fails or takes more than a few seconds, the answer is found by words, and what the
    embedder said goes to the log. A later page is empty then, and its own cursor is that of the next page.
    Raises EmbeddingError when the search by words fails, too, InvalidCursorError, RefusedSearchError, and
    BusyError while the tenant has too many searches at work.
    """
    with search_share(), _refusals_told():
        return _answer(asked)


def answer_objects(asked: SearchRequest) -> SearchAnswer:
    """Search for objects, and say which words of their snippets to mark; see `answer_documents`."""
    with search_share(), _refusals_told():
        answer = _answer(replace(asked, by="object"))
        mark_results(answer.results, asked.q, answer.mode)
        return answer


def tell_answered(
    request: HttpRequest, asked: SearchRequest, answer: SearchAnswer | None = None
) -> dict[str, Any]:
    """Send `search_answered`, and return what the receivers add to the page.

    Only the page, which shows what they add, passes its `answer`. Django logs a receiver that fails.
    """
    told = search_answered.send_robust(HttpRequest, request=request, asked=asked, answer=answer)
    return {name: value for _, found in told if isinstance(found, dict) for name, value in found.items()}


@contextmanager
def _refusals_told() -> Iterator[None]:
    # In a caller's transaction, a refusal must not spoil the page.
    with transaction.atomic() if connection.in_atomic_block else nullcontext():
        try:
            yield
        except (DataError, InternalError) as error:
            logger.exception("PostgreSQL cannot read a search.")
            raise RefusedSearchError(REFUSED) from error


def _answer(asked: SearchRequest) -> SearchAnswer:
    mode, degraded = asked.mode, ""
    try:
        with in_a_hurry(), reporting() as second_look:
            results, cursor = _find(asked, mode)
    except EmbeddingError as error:
        if mode == "keyword":
            raise
        logger.warning("A search in the mode %s falls back to words. %s", mode, error)
        if asked.after:  # a list by words does not go on where one by meaning stopped
            results, cursor, degraded = [], asked.after, LATER
        else:
            mode, degraded = "keyword", REASON
            try:
                # In a caller's transaction, a failure must not spoil the page.
                with transaction.atomic(), reporting() as second_look:
                    results, _ = _find(asked, mode)  # the next page would be of the mode that was asked for
                    cursor = None
            except DatabaseError as failure:
                raise error from failure
    explanation = None
    if asked.explain and not degraded:
        with suppress(EmbeddingError), in_a_hurry():  # the results are there already
            explanation = explain_search(asked.q, asked.index, asked.filter)
            explanation.add_second_look(second_look)
    provider = get_provider(asked.index)
    note = "" if asked.after else _make_note(provider, asked, mode, results)
    unread = UNREAD if mode != "semantic" and left_unread(provider.model) else ""
    rows = provider.objects.filter(compile_filter(asked.filter))
    return SearchAnswer(
        results=results,
        space=provider.space,
        mode=mode,
        degraded=degraded,
        note=" ".join(filter(None, [note, unread, FAILED if second_look.fault else ""])),
        next=cursor,
        explanation=explanation,
        facets={
            key: [{"value": value, "count": count} for value, count in counted]
            for key, counted in count_all_facets(rows, asked.facets).items()
        },
    )


def _make_note(provider: PgVectorProvider, asked: SearchRequest, mode: str, results: list[Result]) -> str:
    if any(result.lacks_phrase for result in results):
        return PHRASE_MISSING if all(result.lacks_phrase for result in results) else PHRASE_RARE
    if not results:
        return explain_nothing(provider, asked.q, mode, asked.filter)
    if mode == "semantic":
        nearest = max(result.score for result in results)  # not always the first, after a second look
        return WEAK if is_weak(provider, nearest) else ""
    wordless = results[0].document.wordless_score if mode == "hybrid" else None
    return WEAK if wordless is not None and is_weak(provider, wordless) else ""


def _find(asked: SearchRequest, mode: str) -> tuple[list[Result], str | None]:
    find = search_object_page if asked.by == "object" else search_page
    return find(asked.q, asked.index, asked.limit, asked.filter, asked.after or None, mode)
