"""Rows of an embedding table without Django's compiler: which columns are read, and objects made of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from apps.search.storage.pgvector.queryset import DEFERRED
from tenants.context import connection


@dataclass(frozen=True)
class Columns:
    """What is read of a table: all but what is large and of no use to a caller."""

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


def make_object(model: Any, values: Sequence[Any], tenant: Any = None) -> Any:
    """Return the object of a row that was just read in the bound tenant.

    `values` are those of `get_columns`; `tenant` is bound by itself when the row is read again.
    """
    columns, converted = get_columns(model), list(values)
    for position, convert in columns.converters:
        converted[position] = convert(converted[position], None, connection)
    found = model.from_db(connection.alias, columns.names, converted)
    found.belongs_to(connection.schema_name, tenant)
    return found
