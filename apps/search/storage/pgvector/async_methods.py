"""The provider's coroutines that embed.

They embed in another thread than the request's, which holds no database connection meanwhile.
"""

from collections.abc import AsyncIterable, Callable, Iterable
from typing import TYPE_CHECKING, Any

from asgiref.sync import SyncToAsync, sync_to_async
from django.db.models import Model, QuerySet

from apps.search.documents import Document, EmbeddedDocument
from apps.search.embedders import BaseEmbedder
from apps.search.embedders.base import Vectors
from apps.search.storage.pgvector.searching.query_vectors import embed_query
from apps.search.storage.pgvector.writing.embedding import Embedding
from tenants.context import connection

if TYPE_CHECKING:
    from apps.search.storage.pgvector.objects.source_ranking import Query, SourceHit
    from apps.search.storage.pgvector.searching.nearest import NearestQuerySet


class AsyncMethods:
    """Methods of PgVectorProvider.

    Outside of a transaction they give back the request's connection before they embed. Do not call them in a
    loop over `aiterator()`, whose cursor lives on it.
    """

    async def aadd(
        self: Any,
        documents: Iterable[Document] | AsyncIterable[Document],
        *,
        on_conflict: str = "update",
        keywords_at_once: bool = False,
    ) -> int:
        """As `add`, but embeds everything before the transaction begins, and so holds it all in memory."""
        if isinstance(documents, AsyncIterable):
            documents = [document async for document in documents]
        # The documents, too, may be read from the database.
        chosen = await sync_to_async(lambda: list(self._select(documents, on_conflict)))()
        if not all(isinstance(document, EmbeddedDocument) for document in chosen):
            chosen = await self._embed(lambda embedder: list(Embedding(chosen, lambda: embedder)))
        return await sync_to_async(self.add)(
            chosen, on_conflict=on_conflict, keywords_at_once=keywords_at_once
        )

    async def asearch(self: Any, text: str) -> "NearestQuerySet":
        """As `search`."""
        return await sync_to_async(self.nearest)(await self._as_vector(text))

    async def asearch_sources(self: Any, query: "Query", **options: Any) -> "list[SourceHit]":
        """As `search_sources`."""
        return await sync_to_async(self.search_sources)(await self._as_vector(query), **options)

    async def arank_sources(
        self: Any, query: "Query", sources: type[Model] | QuerySet, **options: Any
    ) -> QuerySet:
        """As `rank_sources`."""
        return await sync_to_async(self.rank_sources)(await self._as_vector(query), sources, **options)

    async def _as_vector(self: Any, query: Any) -> Any:
        if not isinstance(query, str):
            return query

        def embed(embedder: BaseEmbedder) -> Vectors:
            with self.switched():  # whose query it is
                return embed_query(embedder, query)

        return await self._embed(embed)

    async def _embed(self: Any, work: Callable[[Any], Any]) -> Any:
        embedder = await sync_to_async(self._get_embedder_and_disconnect)()
        return await sync_to_async(work, thread_sensitive=False)(embedder)

    def _get_embedder_and_disconnect(self: Any) -> Any:
        with self._bound():
            embedder = self.embedder
        # Only a request has a thread, and so a connection, of its own; a script's tasks share one.
        in_request = SyncToAsync.thread_sensitive_context.get(None) is not None
        if in_request and not connection.in_atomic_block:
            connection.close()
        return embedder
