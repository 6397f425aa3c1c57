"""Search results: documents with the objects they were made from, or objects with their best document."""

from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db.models import Model
from django.utils.safestring import SafeString

from apps.search.filters import compile_filter
from apps.search.indexed import Indexed
from apps.search.indexes.source_objects import Source, get_source_objects
from apps.search.indexes.sources import parse_key
from apps.search.providers import get_provider
from apps.search.rerankers.second_look import look_again
from apps.search.searching.hybrid import WINDOW, search_by_mode
from apps.search.searching.plain_text import remove_marks
from apps.search.searching.shares import search_share
from apps.search.searching.snippets import find_alike, list_candidates, make_snippet, mark_words
from apps.search.storage.pgvector.keywords.bm25 import find_words, list_words
from apps.search.storage.pgvector.keywords.conditions import has_phrases, without_phrases
from apps.search.storage.pgvector.provider import PgVectorProvider
from tenants.context import get_current_tenant

SAFE_URLS = ("/", "https://", "http://")
CHUNKS_PER_OBJECT = 4  # how many chunks are read for each object wanted
FEW = 10  # results; where fewer hold the phrase of a query, what lacks it is listed, too


@dataclass
class Result:
    """One row of a list; `source` is the object that the document was made from, or None.

    The snippet is made for the `query`, and `marked_snippet` marks `words`. `lacks_phrase`: it does not hold
    the phrase that the query has in quotes.
    """

    document: Any
    source: Any
    query: str = ""
    words: Collection[str] = ()
    lacks_phrase: bool = False

    @cached_property
    def snippet(self) -> str:
        """An excerpt of the document, made when it is first read: not every list shows one."""
        # The title stands above the snippet already; a Markdown text has it once more.
        title = str(self.source)
        content = remove_marks(self.document.content.removeprefix(title)).lstrip()
        return make_snippet(content.removeprefix(title), self.query)

    @property
    def marked_snippet(self) -> SafeString:
        """The snippet as HTML, with the words of the query marked."""
        return mark_words(self.snippet, self.words)

    @property
    def score(self) -> float:
        """The document's score; larger is nearer."""
        return self.document.score

    @property
    def title(self) -> str:
        """The object's own name, else the title in the metadata, else the document's key."""
        return str(self.source or self.document.metadata.get("title") or self.document.document_key)

    @property
    def url(self) -> str:
        """The object's page, else the address in the metadata, empty when there is none."""
        if self.source is not None:
            return get_url(self.source)
        url = str(self.document.metadata.get("url", ""))
        return url if url.startswith(SAFE_URLS) else ""


def search_documents(
    text: str, index_name: str, limit: int, filter: Mapping[str, Any] | None = None, mode: str = "semantic"
) -> list[Result]:
    """Return the best documents, each with its object; a few queries, and one more for each model.

    `filter` restricts them by their metadata, see `apps.search.filters`; `mode` is one of those of
    `apps.search.searching.hybrid`. Where fewer than ten hold the phrase that the text has in quotes, those
    that lack it come after them: prose has quotes, too. Raises InvalidFilterError.
    """
    provider = get_provider(index_name)
    return _with_sources(*_find(provider, text, limit, filter, mode, _get_document_key), text)


def search_page(
    text: str, index_name: str, size: int, filter: Mapping[str, Any] | None = None, after: str | None = None
) -> tuple[list[Result], str | None]:
    """Return a page of the documents nearest in meaning, and the cursor of the next one, None at the end.

    `after` is the cursor that the page before gave; see `search_documents` for the rest. Raises
    InvalidCursorError.
    """
    condition = compile_filter(filter)
    provider = get_provider(index_name)
    found: Any = search_by_mode(provider, text, filter_q=condition)
    holding = None
    if has_phrases(text) and len(few := list(found[:FEW])) < FEW:
        holding = {row.pk for row in few}
        found = search_by_mode(provider, without_phrases(text), filter_q=condition)
    page = found.page(size, after)
    lacking = set() if holding is None else {row.pk for row in page.rows} - holding
    # Only within the page: across pages, the cursor would pass over documents or show them twice.
    return _with_sources(look_again(provider, text, page.rows, size), lacking, text), page.next


def search_objects(
    text: str, index_name: str, limit: int, filter: Mapping[str, Any] | None = None, mode: str = "semantic"
) -> list[Result]:
    """Return the best objects, each with its best document and the words to mark; see `search_documents`.

    Marked are the words that the query's words find, and those that are like them.
    """
    provider = get_provider(index_name)
    found = _find(provider, text, limit, filter, mode, lambda key: parse_key(key) or key, CHUNKS_PER_OBJECT)
    results = _with_sources(*found, text)[:limit]
    language = get_current_tenant().search_language
    candidates = list_candidates(result.snippet for result in results)
    alike = find_alike(candidates, list_words(text, language), is_by_meaning=mode != "keyword")
    words = find_words(candidates, text, language) | alike
    for result in results:
        result.words = words
    return results


def find_best_documents(
    provider: PgVectorProvider,
    text: str,
    limit: int,
    filter: Mapping[str, Any] | None,
    mode: str,
    *,
    get_key: Callable[[str], Hashable],
) -> list[Any]:
    """Return the best document of each object, from four times `limit` documents; see `search_documents`.

    Documents are of one object when `get_key` returns the same for their keys. All that were found are
    returned, even above `limit`, since some objects may be gone.
    """
    return _find(provider, text, limit, filter, mode, get_key, CHUNKS_PER_OBJECT)[0]


def find_similar(obj: Indexed, limit: int) -> list[Result]:
    """Return the objects of the same index that are nearest to this one, by the mean of its documents.

    Nothing is embedded; for an object that is not indexed yet the list is empty. Raises BusyError while the
    tenant has too many searches at work.
    """
    provider = get_provider(obj.index_name)
    with search_share():
        hits = provider.search_sources(provider.nearest_to(Source.of(obj).prefix), limit=limit)
    return [Result(hit.document, hit.source) for hit in hits]


def get_url(obj: Model | None) -> str:
    """Return the object's page on the tenant's site, or "" when it has none."""
    get_absolute_url = getattr(obj, "get_absolute_url", None)
    return get_absolute_url() if get_absolute_url else ""


def _find(
    provider: PgVectorProvider,
    text: str,
    limit: int,
    filter: Mapping[str, Any] | None,
    mode: str,
    get_key: Callable[[str], Hashable],
    per_key: int = 1,
) -> tuple[list[Any], set[int]]:
    """Return the best document for each key, and the primary keys of those that lack the text's phrases."""
    condition = compile_filter(filter)  # before anything is embedded
    most = limit * per_key
    options = {"window": max(WINDOW, most)} if mode == "hybrid" else {}
    best: dict[Hashable, Any] = {}
    rows = search_by_mode(provider, text, mode, filter_q=condition, **options)
    found = look_again(provider, text, rows, most)
    for document in found:
        best.setdefault(get_key(document.document_key), document)
    lacking = set()
    if len(best) < min(limit, FEW) and len(found) < most and has_phrases(text):
        looser = without_phrases(text)
        for document in search_by_mode(provider, looser, mode, filter_q=condition, **options)[:most]:
            if best.setdefault(get_key(document.document_key), document) is document:
                lacking.add(document.pk)
    return list(best.values()), lacking


def _get_document_key(key: str) -> str:
    return key


def _with_sources(documents: list[Any], lacking: Collection[int], text: str) -> list[Result]:
    sources = [Source.from_key(document.document_key) for document in documents]
    objects = get_source_objects(sources)
    return [
        Result(document, objects[source] if source else None, text, lacks_phrase=document.pk in lacking)
        for document, source in zip(documents, sources, strict=True)
        # A worker is about to remove the documents of an object that was deleted a moment ago.
        if source is None or source in objects
    ]
