"""Search results: documents with the objects they were made from, or objects with their best document."""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
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
from apps.search.searching.access import search_share
from apps.search.searching.hybrid import WINDOW, search_by_mode
from apps.search.searching.plain_text import remove_marks
from apps.search.searching.rankings import FEW, Ranking
from apps.search.searching.snippets import find_alike, list_candidates, make_snippet, mark_words
from apps.search.storage.pgvector.keywords.bm25 import find_words, list_words
from apps.search.storage.pgvector.keywords.conditions import has_phrases, without_phrases
from apps.search.storage.pgvector.provider import PgVectorProvider
from tenants.context import get_current_tenant

SAFE_URLS = ("/", "https://", "http://")
CHUNKS_PER_OBJECT = 4  # how many chunks are read for each object wanted


@dataclass
class Result:
    """One row of a list; `source` is the object that the document was made from, or None.

    The snippet is made for the `query`, and `marked_snippet` marks `words`. `lacks_phrase`: it does not hold
    the phrase that the query has in quotes. In a list of objects, `more` is how many other documents of the
    object were found, and `same` are the results of other objects that have the same text.
    """

    document: Any
    source: Any
    query: str = ""
    words: Collection[str] = ()
    lacks_phrase: bool = False
    more: int = 0
    same: list["Result"] = field(default_factory=list)

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
    ranking = Ranking(get_provider(index_name), text, filter, mode)
    documents, _ = ranking.read(limit, max(WINDOW, limit))
    return _with_sources(documents[:limit], ranking)


def search_page(
    text: str,
    index_name: str,
    size: int,
    filter: Mapping[str, Any] | None = None,
    after: str | None = None,
    mode: str = "semantic",
) -> tuple[list[Result], str | None]:
    """Return a page of the best documents, and the cursor of the next one, None at the end.

    `after` is the cursor that the page before gave; see `search_documents` for the rest. A search by meaning
    goes on to the last document, any other up to the first 1,000. Raises InvalidCursorError.
    """
    ranking = Ranking(get_provider(index_name), text, filter, mode)
    if mode != "semantic":
        return ranking.read_page(size, size + 1, after, lambda found: _with_sources(found, ranking))
    condition = compile_filter(filter)
    found: Any = search_by_mode(ranking.provider, text, filter_q=condition)
    holding = None
    if has_phrases(text) and len(few := list(found[:FEW])) < FEW:
        holding = {row.pk for row in few}
        found = search_by_mode(ranking.provider, without_phrases(text), filter_q=condition)
    page = found.page(size, after)
    ranking.lacking = set() if holding is None else {row.pk for row in page.rows} - holding
    # Only within the page: across pages, the cursor would pass over documents or show them twice.
    return _with_sources(look_again(ranking.provider, text, page.rows, size), ranking), page.next


def search_objects(
    text: str, index_name: str, limit: int, filter: Mapping[str, Any] | None = None, mode: str = "semantic"
) -> list[Result]:
    """Return the best objects, each with its best document and the words to mark; see `search_documents`."""
    results, _ = search_object_page(text, index_name, limit, filter, mode=mode)
    mark_results(results, text, mode)
    return results


def search_object_page(
    text: str,
    index_name: str,
    size: int,
    filter: Mapping[str, Any] | None = None,
    after: str | None = None,
    mode: str = "semantic",
) -> tuple[list[Result], str | None]:
    """Return a page of the best objects, each with its best document, and the cursor of the next page.

    Objects of which the best documents have the same text are one result. They are found among the best
    1,000 documents. See `search_page` for the rest.
    """
    ranking = Ranking(get_provider(index_name), text, filter, mode, _get_object_key)

    def arrange(documents: list[Any]) -> list[Result]:
        return _fold(_group(_with_sources(documents, ranking)))

    return ranking.read_page(size, size * CHUNKS_PER_OBJECT, after, arrange)


def mark_results(results: Sequence[Result], text: str, mode: str) -> None:
    """Set the words to mark: those that the query's words find, and those that are like them."""
    language = get_current_tenant().search_language
    candidates = list_candidates(result.snippet for result in results)
    alike = find_alike(candidates, list_words(text, language), is_by_meaning=mode != "keyword")
    words = find_words(candidates, text, language) | alike
    for result in results:
        result.words = words


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
    most = limit * CHUNKS_PER_OBJECT
    best: dict[Hashable, Any] = {}
    for document in Ranking(provider, text, filter, mode, get_key).read(most, max(WINDOW, most))[0]:
        best.setdefault(get_key(document.document_key), document)
    return list(best.values())


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


def _get_object_key(document_key: str) -> Hashable:
    return parse_key(document_key) or document_key


def _group(results: Sequence[Result]) -> list[Result]:
    """Return the first result of each object; it counts the others."""
    best: dict[Hashable, Result] = {}
    for result in results:
        first = best.setdefault(_get_object_key(result.document.document_key), result)
        first.more += first is not result
    return list(best.values())


def _fold(results: Sequence[Result]) -> list[Result]:
    """Return the first result of each text, apart from white space and case; it has the others."""
    first: dict[str, Result] = {}
    for result in results:
        other = first.setdefault(" ".join(result.document.content.split()).casefold(), result)
        if other is not result:
            other.same.append(result)
    return list(first.values())


def _with_sources(documents: list[Any], ranking: Ranking) -> list[Result]:
    sources = [Source.from_key(document.document_key) for document in documents]
    objects = get_source_objects(sources)
    return [
        Result(
            document,
            objects[source] if source else None,
            ranking.text,
            lacks_phrase=document.pk in ranking.lacking,
        )
        for document, source in zip(documents, sources, strict=True)
        # A worker is about to remove the documents of an object that was deleted a moment ago.
        if source is None or source in objects
    ]
