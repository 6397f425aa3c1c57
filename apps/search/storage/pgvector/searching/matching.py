"""The rows that a filter leaves of an index, as SQL: compiled once for the estimate and for the search."""

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db.models import QuerySet
from django.db.models.sql import Query

from tenants.context import connection


@dataclass(frozen=True)
class Matching:
    """The rows of a table for which a condition holds. The table is named with its schema.

    The condition holds all its values as literals.
    """

    table: str
    where: str

    def explain(self, *, format: str) -> str:
        """Return PostgreSQL's plan for reading the rows."""
        plan = self._ask(f"EXPLAIN (FORMAT {format}) SELECT FROM {self.table} WHERE {self.where}")  # nosec B608: all is quoted
        return json.dumps(plan) if format == "json" else str(plan)

    def count_up_to(self, most: int) -> int:
        """Return how many rows there are, or `most` if there are more."""
        rows = f"SELECT FROM {self.table} WHERE {self.where} LIMIT {most}"  # nosec B608: all is quoted
        return int(self._ask(f"SELECT count(*) FROM ({rows}) AS matching"))  # noqa: S608 - all is quoted

    def _ask(self, statement: str) -> Any:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchone()[0]


@lru_cache(maxsize=256)
def find_rows(model: Any, space: str, index_name: str) -> QuerySet:
    """Return the rows of an index, not bound to a schema yet: the caller binds a copy to one."""
    return model.objects.filter(space=space, index_name=index_name).order_by()


def compile_matching(matching: Query) -> Matching | None:
    """Return the condition of a query for rows of an embedding table, in the bound tenant.

    None for more than a condition on the table's own columns: a join needs Django's query. Raises what
    Django's compiler raises.
    """
    query: Any = matching.chain()
    compiler = query.get_compiler(connection=connection)
    name = connection.ops.quote_name
    table = f"{name(connection.schema_name)}.{name(query.model._meta.db_table)}"
    try:
        where, parameters = compiler.compile(query.where)
    except EmptyResultSet:
        return Matching(table, "FALSE")
    if sum(map(bool, query.alias_refcount.values())) > 1:
        return None
    return Matching(table, connection.ops.compose_sql(where, parameters))
