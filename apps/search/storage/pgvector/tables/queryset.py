"""Querysets that remember the tenant they were built for."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import wraps
from typing import Any

from django.db import models
from django.db.models.query import ModelIterable
from django.db.models.sql import Query
from django_tenants.utils import get_public_schema_name

from tenants.context import TenantMismatchError, connection, tenant_context

# Fetching these costs more than a search, and hardly anybody reads them.
DEFERRED = ("vector", "keywords", "keyword_recipe")


def check_schema(schema_name: str | None) -> None:
    """Raise TenantMismatchError unless the schema is None or the one that is bound."""
    bound = connection.schema_name
    if schema_name not in (None, bound):
        raise TenantMismatchError(
            f"This queryset was built for the tenant with the schema {schema_name!r}, but "
            f"{bound!r} is bound. Evaluate it inside `with tenant_context(tenant):`."
        )


class TenantQuery(Query):
    """A query that runs only in the schema it was built for.

    Querysets are lazy: without this, one that was built in tenant A and evaluated in tenant B would read B. A
    query that was given a `tenant` binds it while it runs.
    """

    schema_name: str | None = None
    tenant: Any = None

    def get_compiler(self, *args: Any, **kwargs: Any) -> Any:
        """Return Django's compiler, which runs in the query's tenant.

        Raises TenantMismatchError when the query was given none and another one is bound.
        """
        compiler = super().get_compiler(*args, **kwargs)
        if self.tenant is None:
            check_schema(self.schema_name)
            return compiler
        execute = compiler.execute_sql

        def execute_bound(*args: Any, **kwargs: Any) -> Any:
            with tenant_context(self.tenant):
                return execute(*args, **kwargs)

        compiler.execute_sql = execute_bound
        return compiler

    def get_aggregation(self, *args: Any, **kwargs: Any) -> Any:
        """Aggregate in the tenant: Django may wrap this query in another one, so both must run there."""
        with self.bound():
            return super().get_aggregation(*args, **kwargs)

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        """Return the SQL of a subquery, which reads the schema that its outer query is bound to."""
        check_schema(self.schema_name)
        return super().as_sql(compiler, connection)

    def combine(self, rhs: Query, connector: str) -> None:
        """Join another query to this one. Raises TenantMismatchError if it was built for another tenant."""
        self.check_same_tenant(rhs)
        super().combine(rhs, connector)

    def check_same_tenant(self, other: Query) -> None:
        """Raise TenantMismatchError if the other query was built for another tenant."""
        schema = getattr(other, "schema_name", None)
        if None not in (schema, self.schema_name) and schema != self.schema_name:
            raise TenantMismatchError(
                f"Querysets of the schemas {self.schema_name!r} and {schema!r} cannot become one query."
            )

    def bound(self) -> Any:
        """Return a context manager that binds the query's tenant or raises TenantMismatchError."""
        if self.tenant is not None:
            return tenant_context(self.tenant)
        check_schema(self.schema_name)
        return nullcontext()


class TenantModelIterable(ModelIterable):
    """Tells each object the tenant it was read from."""

    def __iter__(self) -> Iterator[Any]:
        query = self.queryset.query
        schema_name = getattr(query, "schema_name", None) or connection.schema_name
        for obj in super().__iter__():
            obj.belongs_to(schema_name, getattr(query, "tenant", None))
            yield obj


def _in_own_tenant(method: Callable[..., Any]) -> Any:
    @wraps(method)
    def run(rows: Any, *args: Any, **kwargs: Any) -> Any:
        with rows.query.bound():
            return method(rows, *args, **kwargs)

    return run


class EmbeddingQuerySet(models.QuerySet):
    """A queryset that reads and writes only the tenant it was built for."""

    query: Any

    def __init__(self, model: Any = None, query: Any = None, using: Any = None, hints: Any = None) -> None:
        if query is None:
            query = TenantQuery(model)
            if connection.schema_name != get_public_schema_name():
                query.schema_name = connection.schema_name
        super().__init__(model, query, using, hints)
        self._iterable_class = TenantModelIterable

    # Django's own, except that they raise TenantMismatchError when another tenant is bound.
    create = _in_own_tenant(models.QuerySet.create)
    bulk_create = _in_own_tenant(models.QuerySet.bulk_create)
    update = _in_own_tenant(models.QuerySet.update)
    delete = _in_own_tenant(models.QuerySet.delete)

    def of_tenant(self, tenant: Any) -> "EmbeddingQuerySet":
        """Return these rows of the given tenant, whichever tenant is bound when they are read."""
        rows = self.all()
        rows.query.tenant, rows.query.schema_name = tenant, tenant.schema_name
        return rows

    def count_up_to(self, most: int) -> int:
        """Return how many rows there are, or `most` if there are more."""
        return self[:most].count()

    def _combinator_query(self, combinator: str, *others: Any, **kwargs: Any) -> Any:
        for other in others:
            self.query.check_same_tenant(other.query)
        return super()._combinator_query(combinator, *others, **kwargs)  # type: ignore[misc]
