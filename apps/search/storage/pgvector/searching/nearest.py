"""The queryset of a search: lazy, sliceable, filterable, and quick as long as nothing else is asked of it."""

from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from typing import Any

from django.core.exceptions import FieldError
from django.db.models import ExpressionWrapper, FloatField, Q, QuerySet

from apps.search.storage.pgvector.ranking.methods import RankingMethods
from apps.search.storage.pgvector.searching.matching import find_condition, match_rows
from apps.search.storage.pgvector.searching.planner import choose_plan
from apps.search.storage.pgvector.searching.spec import SearchSpec
from apps.search.storage.pgvector.searching.statement import read_nearest
from apps.search.storage.pgvector.searching.tuning import check_search_options, tuned
from apps.search.storage.pgvector.tables.distance import VectorDistance
from apps.search.storage.pgvector.tables.plan import EXACT, Plan
from apps.search.storage.pgvector.tables.queryset import DEFERRED, EmbeddingQuerySet, TenantQuery
from tenants.context import connection, tenant_context


class SearchQuery(TenantQuery):
    """A query that chooses its plan each time it runs."""

    spec: SearchSpec | None = None
    plan: Plan = EXACT
    conditions: int = 0  # how many there were before any filter was added
    must_be_exact: bool = False
    fixed_cast: str | None = None  # the distances must be those of this cast; see Plan

    def get_compiler(self, *args: Any, **kwargs: Any) -> Any:
        """Return Django's compiler, which carries out the chosen plan."""
        compiler = super().get_compiler(*args, **kwargs)
        execute = compiler.execute_sql

        def execute_plan(*args: Any, chunked_fetch: bool = False, **kwargs: Any) -> Any:
            # A server-side cursor takes no SET LOCAL along, and such a caller wants all rows.
            self.plan = Plan(cast=self.fixed_cast or "") if chunked_fetch else self.choose_plan()
            with tuned(self.plan.tuning):
                return execute(*args, chunked_fetch=chunked_fetch, **kwargs)

        compiler.execute_sql = execute_plan
        return compiler

    def choose_plan(self) -> Plan:
        """Return the plan that fits this query now."""
        exact = Plan(cast=self.fixed_cast or "")
        if self.spec is None or self.must_be_exact:
            return exact
        with self.bound():
            plan = choose_plan(
                self.spec,
                limit=self.high_mark,
                is_filtered=len(self.where.children) > self.conditions,
                get_matching=self._get_matching,
            )
        if plan.mode == "binary" or plan.left_out:  # only the quick way can carry it out
            return exact
        return plan if self.fixed_cast in (None, plan.cast) else exact

    def _get_matching(self) -> Any:
        query: Any = self.chain()
        query.spec, query.explain_info = None, None
        query.clear_limits()
        return EmbeddingQuerySet(self.model, query).order_by().values("pk")


class NearestQuerySet(RankingMethods, EmbeddingQuerySet):
    """The documents nearest to a vector, nearest first, with `distance` and `score`.

    To compile Django's query takes as long as the search itself. So it is built only for what goes beyond
    slices and filters on the table's own columns.
    """

    def __init__(self, model: Any = None, query: Any = None, using: Any = None, hints: Any = None) -> None:
        super().__init__(model, query, using, hints)
        self._spec: SearchSpec | None = None  # set: nothing but filters was added yet
        self._limits: tuple[int, int | None] = (0, None)
        self._tenant: Any = None
        self._plan = EXACT

    @classmethod
    def of(cls, spec: SearchSpec, tenant: Any) -> "NearestQuerySet":
        """Return the search in the bound tenant or, whichever is bound, in the `tenant` given."""
        rows = cls(spec.model)
        rows._spec, rows._tenant = spec, tenant
        return rows

    @property
    def plan(self) -> Plan:
        """How the rows were found, once they are read."""
        return self._plan if self._spec else getattr(self.query, "plan", EXACT)

    def tune(self, **tuning: int | str) -> "NearestQuerySet":
        """Return the same search with other parameters of the ANN search (see `tuning.SEARCH_OPTIONS`).

        Raises ValueError for an unknown parameter or a bad value.
        """
        check_search_options(tuning)
        if spec := self._spec:
            return self._with(replace(spec, tuning={**spec.tuning, **tuning}), self._limits)
        rows: Any = self.all()
        if spec := getattr(rows.query, "spec", None):  # there is none where nothing can be found
            rows.query.spec = replace(spec, tuning={**spec.tuning, **tuning})
        return rows

    @property
    def query(self) -> Any:
        """Django's query, built now if it was not yet."""
        if self._spec is not None:
            self._query, self._spec = self._build_query(self._spec), None
        return super().query

    @query.setter
    def query(self, value: Any) -> None:
        self._query = value

    def __getitem__(self, key: Any) -> Any:
        """As Django's."""
        if self._spec and self._result_cache is None and _is_plain(key) and not self._is_sliced():
            return self._with(self._spec, (key.start or 0, key.stop))
        return super().__getitem__(key)

    def _clone(self) -> Any:
        # Django's asks for the query, as if something were to be added to this search.
        spec = self._spec
        clone = super()._clone()  # type: ignore[misc]
        self._spec = spec
        return clone

    def _with(self, spec: SearchSpec, limits: tuple[int, int | None]) -> "NearestQuerySet":
        rows = type(self)(spec.model, self._query)  # until one is built, it only says whose the search is
        rows._spec, rows._limits, rows._tenant = spec, limits, self._tenant
        return rows

    def _not_support_combined_queries(self, operation_name: str) -> None:
        # Django's asks for the query, and this one is not a union.
        if self._spec is None:
            super()._not_support_combined_queries(operation_name)  # type: ignore[misc]

    def _filter_or_exclude(self, negate: bool, args: Any, kwargs: Any) -> Any:
        # Django's, of `filter` and `exclude`. A slice cannot be filtered; that is for Django to say.
        if self._spec and not self._is_sliced():
            with suppress(FieldError):  # it asks for more than columns: the distance, say, or a join
                asked = Q(*args, **kwargs)
                condition = find_condition(self.model, ~asked if negate else asked)
                if not condition.needs_join:
                    added = () if condition.leaves_all else (condition,)
                    conditions = (*self._spec.conditions, *added)
                    return self._with(replace(self._spec, conditions=conditions), self._limits)
        return super()._filter_or_exclude(negate, args, kwargs)  # type: ignore[misc]

    def _get_spec(self) -> SearchSpec:
        return self._spec or self.query.spec

    def _get_tenant(self) -> Any:
        return self._tenant or self._query.tenant

    def _get_schema(self) -> str | None:
        tenant = self._get_tenant()
        return tenant.schema_name if tenant else self._query.schema_name

    def _is_sliced(self) -> bool:
        return self._limits != (0, None)

    def _fetch_all(self) -> None:
        # Without a limit a threshold is the database's work: it leaves few of many rows.
        spec = None if self._result_cache is not None else self._spec
        if spec and (spec.min_score is None or self._limits[1] is not None):
            self._fetch_quickly(spec)
        is_read = self._result_cache is not None
        super()._fetch_all()
        if not is_read and self._ended_early():
            self.query.must_be_exact = True
            self._result_cache = None
            super()._fetch_all()

    def _ended_early(self) -> bool:
        """Whether an ANN search by Django's query found fewer rows than there may be."""
        query = self.query
        if not isinstance(query, SearchQuery) or query.plan.mode == "exact" or query.high_mark is None:
            return False
        return len(self._result_cache or ()) < query.high_mark - query.low_mark

    def _fetch_quickly(self, spec: SearchSpec) -> None:
        """Fetch without Django's query."""
        low, high = self._limits
        with tenant_context(self._tenant) if self._tenant else self._query.bound():
            matching = match_rows(
                connection.schema_name, spec.model, spec.space, spec.index_name, spec.conditions
            )
            self._plan = choose_plan(
                spec, limit=high, is_filtered=bool(spec.conditions), get_matching=lambda: matching
            )
            if spec.conditions and self._plan.mode == "hnsw":
                # Strict order loses each row that a later round finds nearer than one before.
                tuning = {"iterative_scan": "relaxed_order", **self._plan.tuning}
                self._plan = replace(self._plan, tuning=tuning)
            rows = read_nearest(spec, self._plan, low, high, matching, self._tenant)
            if rows is None:  # the ANN search ended early
                self._plan = EXACT
                rows = read_nearest(spec, EXACT, low, high, matching, self._tenant) or []
        if spec.min_score is not None:
            rows = [row for row in rows if row.score >= spec.min_score]
        self._result_cache = rows

    def _build_query(self, spec: SearchSpec) -> SearchQuery:
        chosen: Any = _find_rows(spec.model, spec.space, spec.index_name).all()
        chosen.query.schema_name, chosen.query.tenant = self._get_schema(), self._tenant
        query = chosen.query.chain(SearchQuery)
        # Without filters, the only conditions are those that say which index is searched.
        query.spec, query.conditions = spec, len(query.where.children)
        for condition in spec.conditions:
            query.add_q(condition.q)
        distance = VectorDistance(spec.metric, spec.literal)
        score = ExpressionWrapper(spec.metric.to_score(distance), output_field=FloatField())
        rows: Any = EmbeddingQuerySet(spec.model, query).defer(*DEFERRED)
        rows = rows.annotate(distance=distance, score=score).order_by("distance")
        if spec.min_score is not None:
            rows = rows.filter(score__gte=spec.min_score)
        rows.query.set_limits(*self._limits)
        return rows.query


@lru_cache(maxsize=256)
def _find_rows(model: Any, space: str, index_name: str) -> QuerySet:
    """Return the rows of an index, not bound to a schema yet: the caller binds a copy to one."""
    return model.objects.filter(space=space, index_name=index_name).order_by()


def _is_plain(key: Any) -> bool:
    """Whether a key is a slice that can become LIMIT and OFFSET as it stands."""
    if not isinstance(key, slice) or key.step is not None:
        return False
    start, stop = key.start or 0, key.stop
    return start >= 0 and (stop is None or start <= stop)
