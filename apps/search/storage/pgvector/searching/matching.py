"""The rows that filters leave of an index, as SQL: compiled once for the estimate and for the search."""

import json
import re
from collections.abc import Hashable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, count
from typing import Any

from django.core.exceptions import EmptyResultSet, FullResultSet
from django.db.models import Q
from django.db.models.sql import Query
from django.utils.timezone import get_current_timezone_name
from psycopg.sql import quote
from psycopg.types.json import Jsonb

from tenants.context import connection

PLAIN = (str, int, float, bool, type(None))
PERCENT = re.compile("%(s)|%%")  # a parameter of a statement, or the sign itself
LONGEST = 50  # values of a list or a group that is remembered


@dataclass(frozen=True)
class Matching:
    """The rows of a table for which a condition holds. The table is named with its schema.

    `where` holds all values as literals. `shape` is the same with a parameter for each of `values`, or empty
    where a value's type would be a guess: only JSON says of itself what it is.
    """

    table: str
    where: str
    shape: str = ""
    values: tuple[Any, ...] = ()

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


class Condition:
    """A filter on a table's own columns: `q` for Django's queries and, compiled when it is wanted, SQL.

    SQL that depends on plain values only is kept.
    """

    def __init__(self, model: Any, q: Q, *, is_plain: bool) -> None:
        self.q, self._query, self._is_plain = q, Query(model), is_plain
        self._where: Any = self._query.build_where(q)
        self._compiled: tuple[str, str, tuple[Any, ...]] | None = None

    @property
    def needs_join(self) -> bool:
        """Whether it asks for another table's columns, so that the SQL alone does not do."""
        return sum(map(bool, self._query.alias_refcount.values())) > 1

    @property
    def leaves_all(self) -> bool:
        """Whether nothing is asked for, as in Q()."""
        return not self._where

    def compile(self) -> tuple[str, str, tuple[Any, ...]]:
        """Return the SQL with literals, the same with a %s for each value, and the values.

        For the bound tenant. Raises what Django's compiler raises.
        """
        if self._compiled is not None:
            return self._compiled
        compiler = self._query.get_compiler(connection=connection)
        parameters: Sequence[Any]
        try:
            sql, parameters = compiler.compile(self._where)
        except EmptyResultSet:
            sql, parameters = "FALSE", ()
        except FullResultSet:
            sql, parameters = "TRUE", ()
        compiled = connection.ops.compose_sql(sql, parameters), sql, tuple(parameters)
        if self._is_plain:
            self._compiled = compiled
        return compiled


def find_condition(model: Any, q: Q) -> Condition:
    """Return a filter as a condition on a table; one of plain values is remembered, with its SQL.

    Raises FieldError for one that names no column of the table, such as a computed value or a relation's.
    """
    try:
        # Dates in words are those of the current time zone.
        return _remember(model, _Asked((get_current_timezone_name(), _describe(q)), q))
    except _NotPlainError:
        return Condition(model, q, is_plain=False)


def match_rows(
    schema: str, model: Any, space: str, index_name: str, conditions: tuple[Condition, ...]
) -> Matching:
    """Return the rows of an index for which the conditions hold, in the bound tenant."""
    everything = _match_index(schema, model, space, index_name)
    if not conditions:
        return everything
    wheres, shapes, parameters = zip(*(condition.compile() for condition in conditions), strict=True)
    where = " AND ".join([everything.where, *(f"({sql})" for sql in wheres)])
    values = tuple(chain(*parameters))
    if not all(isinstance(value, Jsonb) for value in values):
        return Matching(everything.table, where)
    number = count()
    named = [
        PERCENT.sub(lambda found: f"%(value{next(number)})s" if found[1] else "%%", sql) for sql in shapes
    ]
    shape = " AND ".join([everything.where.replace("%", "%%"), *(f"({sql})" for sql in named)])
    return Matching(everything.table, where, shape, values)


class _NotPlainError(Exception):
    """A filter holds a value that says nothing of itself, such as an expression."""


class _Asked:
    """A filter under a key that tells it from all others; for lru_cache."""

    def __init__(self, key: Hashable, q: Q) -> None:
        self.key, self.q = key, q

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Asked) and self.key == other.key


@lru_cache(maxsize=1024)
def _remember(model: Any, asked: _Asked) -> Condition:
    return Condition(model, deepcopy(asked.q), is_plain=True)  # the caller may change a list in it


def _describe(value: Any) -> Hashable:
    """Return what tells a value from all others, also from those of another type that Python calls equal."""
    kind = type(value)
    if kind in PLAIN:
        return kind, repr(value)  # 0.0 and -0.0 are equal, too
    if kind is Q:
        parts = [value.connector, value.negated, *value.children]
    elif kind is dict:
        parts = [each for pair in value.items() for each in pair]
    elif kind in (list, tuple):
        parts = value
    else:
        raise _NotPlainError
    if len(parts) > LONGEST:
        raise _NotPlainError
    return kind, *map(_describe, parts)


@lru_cache(maxsize=1024)
def _match_index(schema: str, model: Any, space: str, index_name: str) -> Matching:
    """All rows of an index. Space and index are literals, or else no plan could use its ANN index."""
    name = connection.ops.quote_name
    where = f"space = {quote(space)} AND index_name = {quote(index_name)}"
    return Matching(f"{name(schema)}.{name(model._meta.db_table)}", where)
