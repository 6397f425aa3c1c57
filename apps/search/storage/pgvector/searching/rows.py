"""Rows of an embedding table without Django's compiler: the columns to read, and the objects made of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from apps.search.storage.pgvector.tables.queryset import DEFERRED
from tenants.context import connection


@dataclass(frozen=True)
class Columns:
    """The columns that are read of a table: all but the large ones, which hardly any caller needs."""

    names: list[str]
    sql: str
    converters: list[tuple[int, Any]]  # position of a column and what makes a Python value of it


@lru_cache(maxsize=64)
def get_columns(model: Any) -> Columns:
    """Return the columns that a search reads of a table."""
    fields = [each for each in model._meta.concrete_fields if each.name not in DEFERRED]
    table = connection.ops.quote_name(model._meta.db_table)
    return Columns(
        names=[each.attname for each in fields],
        sql=", ".join(f"{table}.{connection.ops.quote_name(each.column)}" for each in fields),
        converters=[
            (position, convert)
            for position, each in enumerate(fields)
            for convert in each.get_db_converters(connection)
        ],
    )


def make_objects(model: Any, rows: Iterable[Sequence[Any]], tenant: Any = None) -> list[Any]:
    """Return the objects of rows that were just read in the bound tenant.

    Rows begin with the values of `get_columns`; `tenant` is bound by itself when an object is read again.
    """
    columns = get_columns(model)
    alias, schema, count = connection.alias, connection.schema_name, len(columns.names)
    found = []
    for row in rows:
        values = list(row[:count])
        for position, convert in columns.converters:
            values[position] = convert(values[position], None, connection)
        found.append(model.from_db(alias, columns.names, values))
        found[-1].belongs_to(schema, tenant)
    return found
