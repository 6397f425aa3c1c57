"""The provider's searches for source objects instead of documents."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.db.models import Model, QuerySet

from apps.search.filters import compile_filter
from apps.search.storage.pgvector.objects.source_ranking import (
    SourceHit,
    load_hits,
    make_ranked_queryset,
    rank,
)

if TYPE_CHECKING:
    import numpy as np

    from apps.search.storage.pgvector.searching.nearest import NearestQuerySet


class SourceMethods:
    """Methods of PgVectorProvider."""

    def search_sources(
        self: Any,
        query: "str | Sequence[float] | np.ndarray | NearestQuerySet",
        *,
        limit: int = 10,
        where: Mapping[str, Any] | None = None,
        min_score: float | None = None,
    ) -> list[SourceHit]:
        """Return the source objects of the documents nearest to a text or a vector, the best first.

        Instead of these it takes a search that is not sliced, such as `nearest_to` returns.

        Each object comes once, with its best document. One query ranks, one more a model reads the objects;
        those that its default manager does not know do not come up. `where` is a filter on the documents.
        Raises ValueError for a provider without `source_models`, and as `search` or `nearest`.
        """
        if not self.source_models:
            raise ValueError(f"{self!r} has no source_models; get_provider() makes one that has.")
        with self._bound():
            objects = [model._default_manager.all() for model in self.source_models]
            return load_hits(rank(self._nearest(query, where), objects, limit, min_score), objects)

    def rank_sources(
        self: Any,
        query: "str | Sequence[float] | np.ndarray | NearestQuerySet",
        sources: type[Model] | QuerySet,
        *,
        limit: int = 100,
        where: Mapping[str, Any] | None = None,
        min_score: float | None = None,
    ) -> QuerySet:
        """Return the `limit` best objects of one model, or of a queryset of it, as a queryset of that model.

        Ordered by their best document and annotated with its `score`, `distance` and key, `snippet_key`.
        The ranking is read at once; the queryset is lazy, and of this tenant. Raises as `search_sources`.
        """
        with self._bound():
            objects = sources.all() if isinstance(sources, QuerySet) else sources._default_manager.all()
            ranked = rank(self._nearest(query, where), [objects], limit, min_score)
            return make_ranked_queryset(objects, ranked, self._tenant)

    def _nearest(self: Any, query: Any, where: Mapping[str, Any] | None) -> "NearestQuerySet":
        condition = compile_filter(where)  # before anything is embedded
        if isinstance(query, QuerySet):
            found: Any = query
        else:
            found = self.search(query) if isinstance(query, str) else self.nearest(query)
        return found.filter(condition) if condition else found
