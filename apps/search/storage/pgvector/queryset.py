"""Querysets that remember whose they are."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from django.db import models
from django.db.models.sql import Query
from django_tenants.utils import get_public_schema_name

from tenants.context import connection, tenant_context


class TenantMismatchError(RuntimeError):
    """A queryset built for one tenant was evaluated while another one, or none, was bound."""


class TenantQuery(Query):
    """A query that runs only in the schema it was built for.

    Querysets are lazy: without this, one that was built in tenant A and evaluated in tenant B reads B.
    A query that was given its `tenant` explicitly binds it while it runs.
    """

    schema_name: str | None = None
    tenant: Any = None

    def get_compiler(self, *args: Any, **kwargs: Any) -> Any:
        """Return Django's compiler, ready to run in the query's tenant.

        Raises TenantMismatchError when another one is bound and the query was given none.
        """
        compiler = super().get_compiler(*args, **kwargs)
        if self.tenant is None:
            self._check_schema()
            return compiler
        execute = compiler.execute_sql

        def execute_bound(*args: Any, **kwargs: Any) -> Any:
            with tenant_context(self.tenant):
                return execute(*args, **kwargs)

        compiler.execute_sql = execute_bound
        return compiler

    def get_aggregation(self, *args: Any, **kwargs: Any) -> Any:
        """As Django's, which may put the query into another one; so bind around both."""
        with self.bound():
            return super().get_aggregation(*args, **kwargs)

    @contextmanager
    def bound(self) -> Iterator[None]:
        """Run the block in the query's tenant, or raise TenantMismatchError."""
        if self.tenant is None:
            self._check_schema()
            yield
            return
        with tenant_context(self.tenant):
            yield

    def _check_schema(self) -> None:
        bound = connection.schema_name
        if self.schema_name not in (None, bound):
            raise TenantMismatchError(
                f"This queryset was built for the tenant with the schema {self.schema_name!r}, but "
                f"{bound!r} is bound. Evaluate it inside `with tenant_context(tenant):`."
            )


class EmbeddingQuerySet(models.QuerySet):
    """A queryset that reads and writes only the tenant it was built for."""

    query: Any

    def __init__(self, model: Any = None, query: Any = None, using: Any = None, hints: Any = None) -> None:
        if query is None:
            query = TenantQuery(model)
            if connection.schema_name != get_public_schema_name():
                query.schema_name = connection.schema_name
        super().__init__(model, query, using, hints)

    def of_tenant(self, tenant: Any) -> "EmbeddingQuerySet":
        """Return the same rows of that tenant, whichever is bound when they are read."""
        rows = self.all()
        rows.query.tenant, rows.query.schema_name = tenant, tenant.schema_name
        return rows

    def update(self, **kwargs: Any) -> int:
        """As Django's. Raises TenantMismatchError when another tenant is bound."""
        with self._bound():
            return super().update(**kwargs)

    def delete(self) -> tuple[int, dict[str, int]]:
        """As Django's. Raises TenantMismatchError when another tenant is bound."""
        with self._bound():
            return super().delete()

    update.alters_data = delete.alters_data = True  # type: ignore[attr-defined]

    def _bound(self) -> Any:
        return self.query.bound() if isinstance(self.query, TenantQuery) else nullcontext()
