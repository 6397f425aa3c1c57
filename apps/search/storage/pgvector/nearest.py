"""The queryset of a search: lazy, sliceable, filterable, and quick where nothing was added to it."""

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from django.db.models import ExpressionWrapper, FloatField, QuerySet

from apps.search.embedders.options import check_search_options
from apps.search.storage.pgvector.distance import VectorDistance
from apps.search.storage.pgvector.plan import EXACT, Plan
from apps.search.storage.pgvector.planner import choose_plan
from apps.search.storage.pgvector.queryset import DEFERRED, EmbeddingQuerySet, TenantQuery
from apps.search.storage.pgvector.ranking import RankingMethods
from apps.search.storage.pgvector.spec import SearchSpec
from apps.search.storage.pgvector.statement import read_nearest
from apps.search.storage.pgvector.tuning import tuned
from tenants.context import tenant_context


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
            # A server-side cursor takes no SET LOCAL along, and whoever iterates so wants all rows.
            self.plan = Plan(cast=self.fixed_cast or "") if chunked_fetch else self.choose_plan()
            with tuned(self.plan.tuning):
                return execute(*args, chunked_fetch=chunked_fetch, **kwargs)

        compiler.execute_sql = execute_plan
        return compiler

    def choose_plan(self) -> Plan:
        """Return the plan by which this query is to be carried out now."""
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
        if plan.mode == "binary":  # which the quick way alone can carry out
            return exact
        return plan if self.fixed_cast in (None, plan.cast) else exact

    def _get_matching(self) -> QuerySet:
        query: Any = self.chain()
        query.spec, query.explain_info = None, None
        query.clear_limits()
        return EmbeddingQuerySet(self.model, query).order_by().values("pk")


class NearestQuerySet(RankingMethods, EmbeddingQuerySet):
    """The documents nearest to a vector, nearest first, with `distance` and `score`.

    Django's query is built only when something is asked of it beyond a slice: compiling one takes as long
    as the search itself. `plan` says, once the rows are read, how they were found.
    """

    def __init__(self, model: Any = None, query: Any = None, using: Any = None, hints: Any = None) -> None:
        super().__init__(model, query, using, hints)
        self._spec: SearchSpec | None = None  # set: nothing was added yet
        self._limits: tuple[int, int | None] = (0, None)
        self._tenant: Any = None
        self._plan = EXACT

    @classmethod
    def of(cls, spec: SearchSpec, tenant: Any) -> "NearestQuerySet":
        """Return the search in the bound tenant, or in `tenant` whichever is bound."""
        rows = cls(spec.model)
        rows._spec, rows._tenant = spec, tenant
        return rows

    @property
    def plan(self) -> Plan:
        """How the rows were found; of use once they are read."""
        return self._plan if self._spec else getattr(self.query, "plan", EXACT)

    def tune(self, **tuning: int | str) -> "NearestQuerySet":
        """Return the search with other parameters of the index search (see `tuning.PARAMETERS`).

        Raises ValueError for an unknown parameter or a bad value.
        """
        check_search_options(tuning)
        if self._spec:
            return self._with(_tune(self._spec, tuning), self._limits)
        rows: Any = self.all()
        if spec := getattr(rows.query, "spec", None):  # there is none where nothing can be found
            rows.query.spec = _tune(spec, tuning)
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
        if self._spec is None or self._result_cache is not None or not _is_plain(key) or self._is_sliced():
            return super().__getitem__(key)
        return self._with(self._spec, (key.start or 0, key.stop))

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

    def _with_min_score(self, min_score: float) -> "NearestQuerySet":
        if self._spec is None:
            return self.filter(score__gte=min_score)
        highest = max(min_score, -math.inf if self._spec.min_score is None else self._spec.min_score)
        return self._with(replace(self._spec, min_score=highest), self._limits)

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
        if self._result_cache is None:
            self._fetch_by_query()
        super()._fetch_all()

    def _fetch_by_query(self) -> None:
        """Let Django fetch; where an index search ended early, fetch again, exactly."""
        super()._fetch_all()
        query = self.query
        if not isinstance(query, SearchQuery) or query.plan.mode == "exact" or query.high_mark is None:
            return
        if len(self._result_cache or ()) < query.high_mark - query.low_mark:
            query.must_be_exact = True
            self._result_cache = None
            super()._fetch_all()

    def _fetch_quickly(self, spec: SearchSpec) -> None:
        """Fetch a search to which nothing was added, without compiling a query for it."""
        low, high = self._limits
        with tenant_context(self._tenant) if self._tenant else self._query.bound():
            self._plan = choose_plan(
                spec, limit=high, is_filtered=False, get_matching=partial(_get_rows, spec)
            )
            rows = read_nearest(spec, self._plan, low, high, self._tenant)
            if self._plan.mode != "exact" and len(rows) < (high or 0) - low:
                self._plan = EXACT
                rows = read_nearest(spec, EXACT, low, high, self._tenant)
        if spec.min_score is not None:
            rows = [row for row in rows if row.score >= spec.min_score]
        self._result_cache = rows

    def _build_query(self, spec: SearchSpec) -> SearchQuery:
        query = SearchQuery(spec.model)
        query.schema_name, query.tenant = self._query.schema_name, self._tenant
        if self._tenant:
            query.schema_name = self._tenant.schema_name
        distance = VectorDistance(spec.metric, spec.literal)
        score = ExpressionWrapper(spec.metric.to_score(distance), output_field=FloatField())
        rows: Any = EmbeddingQuerySet(spec.model, query).filter(space=spec.space, index_name=spec.index_name)
        rows = rows.defer(*DEFERRED).annotate(distance=distance, score=score).order_by("distance")
        rows.query.spec, rows.query.conditions = spec, len(rows.query.where.children)
        if spec.min_score is not None:
            rows = rows.filter(score__gte=spec.min_score)
        rows.query.set_limits(*self._limits)
        return rows.query


def _tune(spec: SearchSpec, tuning: Mapping[str, int | str]) -> SearchSpec:
    return replace(spec, tuning={**spec.tuning, **tuning})


def _get_rows(spec: SearchSpec) -> QuerySet:
    rows = spec.model.objects.filter(space=spec.space, index_name=spec.index_name)
    return rows.order_by().values("pk")


def _is_plain(key: Any) -> bool:
    """Whether a slice can be turned into LIMIT and OFFSET as it stands."""
    if not isinstance(key, slice) or key.step is not None:
        return False
    start, stop = key.start or 0, key.stop
    return start >= 0 and (stop is None or start <= stop)
