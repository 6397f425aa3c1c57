"""What a search offers beyond its order: a threshold, diversity, pages."""

import math
from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np

from apps.search.options.values import require_int
from apps.search.storage.pgvector.coroutines import in_thread
from apps.search.storage.pgvector.ranking.diversity import SIMILARITIES, diversify
from apps.search.storage.pgvector.ranking.paging import Cursor, Page, read_cursor, write_cursor
from apps.search.storage.pgvector.tables.ann_index import get_cast
from apps.search.storage.pgvector.tables.plan import Plan


class RankingMethods:
    """Methods of NearestQuerySet; each keeps to the tenant of the search."""

    def above(self: Any, min_score: float) -> Any:
        """Return the rows whose score is at least `min_score`.

        Costs nothing: an ANN search stays one. Raises ValueError for anything but a finite number.
        """
        if not isinstance(min_score, Real) or isinstance(min_score, bool) or not math.isfinite(min_score):
            raise ValueError(f"min_score is {min_score!r}; it must be a finite number.")
        min_score = float(min_score)
        if self._spec is None:
            return self.filter(score__gte=min_score)
        if self._spec.min_score is not None:
            min_score = max(min_score, self._spec.min_score)
        return self._with(replace(self._spec, min_score=min_score), self._limits)

    def diverse(self: Any, limit: int = 10, *, window: int = 50, balance: float = 0.5) -> list[Any]:
        """Return up to `limit` of the nearest `window` rows that are near but not alike; see `diversify`.

        `balance` is how much nearness counts, 0 to 1; at 1 the rows are simply the nearest. Two queries.
        Raises ValueError for a bad argument.
        """
        require_int("limit", limit, minimum=1)
        require_int("window", window, minimum=limit)
        if not isinstance(balance, Real) or not 0 <= balance <= 1:
            raise ValueError(f"balance is {balance!r}; it must be a number from 0 to 1.")
        rows = list(self[:window])
        stored = self.model.objects.filter(pk__in=[row.pk for row in rows])
        if tenant := self._get_tenant():
            stored = stored.of_tenant(tenant)
        vectors = dict(stored.values_list("pk", "vector"))
        rows = [row for row in rows if row.pk in vectors]  # those that still exist
        if not rows:
            return []
        picked = diversify(
            np.array([row.score for row in rows]),
            np.array([np.asarray(vectors[row.pk], dtype=np.float64) for row in rows]),
            limit=limit,
            balance=float(balance),
            similarity=SIMILARITIES[self._get_spec().metric.name],
        )
        return [rows[position] for position in picked]

    def page(self: Any, size: int, after: str | None = None) -> Page:
        """Return the first `size` rows, or those after the page whose `next` is given; one query.

        Rows are in the order of (distance, primary key), so that no row comes twice and none is left out,
        however many are equally near; rows that are stored meanwhile do not shift the others. Through an
        approximate ANN index a page may miss rows, as every such search may.
        Raises InvalidCursorError for a cursor of another index, space or tenant or for any other text,
        ValueError for a bad size, and TypeError, as Django does, for a queryset that is sliced already.
        """
        require_int("size", size, minimum=1)
        spec = self._get_spec()
        owner = (str(self._get_schema()), spec.space, spec.index_name)
        if after is None and self._spec and not self._is_sliced():
            first = self[: size + 1]
            found = sorted(first, key=lambda row: (row.distance, row.pk))
            # Of rows that are equally near, an ANN index may have left out those with smaller keys.
            is_whole = len(found) <= size or found[size - 1].distance < found[size].distance
            if is_whole or first.plan.mode == "exact":
                return _cut(found, size, first.plan, owner)
        # all(): this search stays one to which nothing was added
        rows = self.all().order_by("distance", "pk")
        if after is not None:
            cursor = read_cursor(after, owner, self.model._meta.pk)
            conditions = len(rows.query.where.children)
            rows = rows.filter(cursor.get_condition())
            # The condition leaves many rows, so the plan is the same as the first page's.
            rows.query.conditions += len(rows.query.where.children) - conditions
            rows.query.fixed_cast = get_cast(spec.dimensions) if cursor.is_cast else ""
        page = rows[: size + 1]
        return _cut(list(page), size, page.plan, owner)

    adiverse, apage = in_thread(diverse), in_thread(page)


def _cut(found: list[Any], size: int, plan: Plan, owner: tuple[str, ...]) -> Page:
    if len(found) <= size:
        return Page(found, None)
    last = found[size - 1]
    cursor = Cursor(last.distance, last.pk, is_cast=bool(plan.cast))
    return Page(found[:size], write_cursor(cursor, owner))
