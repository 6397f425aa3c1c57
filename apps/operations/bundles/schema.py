"""Reads what a tenant's schema contains: from the catalog, not from the models, so that nothing is missed."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from django_tenants.utils import quote_schema_name

from tenants.context import connection, unbound
from tenants.locks import Lock, session_lock
from tenants.models import Tenant
from tenants.provisioning.erasing import drop_schema
from tenants.provisioning.template import create_schema
from tenants.validators import SCRATCH_SCHEMA

GENERATED = " GENERATED"  # the end of a column's type if COPY neither reads nor writes the column

COLUMNS = """
    SELECT c.relname, attname, replace(format_type(atttypid, atttypmod), quote_ident(%s) || '.', '')
        || CASE WHEN attcollation <> typcollation THEN ' COLLATE ' || attcollation::regcollation ELSE '' END
        || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END
        || CASE WHEN attgenerated <> '' THEN ' GENERATED' ELSE '' END
    FROM pg_class c
    LEFT JOIN pg_attribute ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped
    LEFT JOIN pg_type t ON t.oid = atttypid
    WHERE c.relnamespace = %s::regnamespace AND c.relkind = 'r'
    ORDER BY c.relname COLLATE "C", attnum
"""
SEQUENCES = """
    SELECT c.relname, coalesce(owner.relname, '') FROM pg_class c
    LEFT JOIN pg_depend ON classid = 'pg_class'::regclass AND objid = c.oid
        AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i')
    LEFT JOIN pg_class owner ON owner.oid = refobjid
    WHERE c.relnamespace = %s::regnamespace AND c.relkind = 'S'
    ORDER BY c.relname COLLATE "C"
"""
# These are checked row by row while a table is loaded; deferrable ones are checked at the end.
REFERENCES = """
    SELECT c.relname, r.relname FROM pg_constraint
    JOIN pg_class c ON c.oid = conrelid JOIN pg_class r ON r.oid = confrelid
    WHERE connamespace = %s::regnamespace AND contype = 'f' AND NOT condeferrable AND conrelid <> confrelid
"""


@dataclass(frozen=True)
class Schema:
    """What a schema contains.

    These are the migrations that it records, its tables with the types of their columns, and its sequences
    with the tables that own them ("" for none).
    """

    migrations: set[tuple[str, str]]
    tables: dict[str, dict[str, str]]
    sequences: dict[str, str]

    def without(self, left_out: Collection[str]) -> "Schema":
        """Return this schema without these tables and their sequences."""
        return Schema(
            self.migrations,
            {name: columns for name, columns in self.tables.items() if name not in left_out},
            {name: owner for name, owner in self.sequences.items() if owner not in left_out},
        )


def read_schema(schema: str) -> Schema:
    """Return what a schema contains."""
    tables: dict[str, dict[str, str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(COLUMNS, [schema, schema])
        for table, column, kind in cursor.fetchall():
            columns = tables.setdefault(table, {})
            if column is not None:
                columns[column] = kind
        cursor.execute(SEQUENCES, [schema])
        sequences = dict(cursor.fetchall())
        migrations = set()
        if "django_migrations" in tables:
            cursor.execute(f"SELECT app, name FROM {quote_schema_name(schema)}.django_migrations")  # noqa: S608 - the schema is quoted
            migrations.update(cursor.fetchall())
    return Schema(migrations, tables, sequences)


def read_fresh_schema() -> Schema:
    """Return what a new tenant's schema would contain; one is made for this, and dropped."""
    with unbound(), session_lock(Lock.SCRATCH, SCRATCH_SCHEMA):
        drop_schema(SCRATCH_SCHEMA)
        try:
            create_schema(Tenant(schema_name=SCRATCH_SCHEMA))
            return read_schema(SCRATCH_SCHEMA)
        finally:
            drop_schema(SCRATCH_SCHEMA)


def sort_tables(schema: str, tables: list[str]) -> list[str]:
    """Return the tables in an order in which they can be filled, by their foreign keys."""
    with connection.cursor() as cursor:
        cursor.execute(REFERENCES, [schema])
        references = cursor.fetchall()
    sorter = TopologicalSorter({table: set[str]() for table in tables})
    for table, referred in references:
        if {table, referred} <= set(tables):
            sorter.add(table, referred)
    try:
        return list(sorter.static_order())
    except CycleError:  # no order is right; the import reports the reference that fails
        return tables


def find_differences(there: Schema, here: Schema) -> Iterator[str]:
    """Yield, in a line each, why rows of one schema would not fit into the other."""
    if unknown := there.migrations - here.migrations:
        yield f"migrations that this code does not have: {_name(unknown)}. Upgrade the code here."
    if lacking := here.migrations - there.migrations:
        yield f"migrations that were not applied: {_name(lacking)}. Run migrate_schemas where it comes from."
    for table in sorted(there.tables.keys() - here.tables.keys()):
        yield (
            f"table {table}: no migration here makes it. Drop it, or name it in "
            "EXCLUDE of an app's bundle.py to leave it out."
        )
    for table in sorted(here.tables.keys() - there.tables.keys()):
        yield f"table {table}: a migration here makes it, but it is missing."
    for table in sorted(there.tables.keys() & here.tables.keys()):
        old, new = there.tables[table], here.tables[table]
        for column in sorted(old.keys() | new.keys()):
            was, wanted = old.get(column, "missing"), new.get(column, "not known")
            if was != wanted:
                yield f"table {table}, column {column}: {was}; here it is {wanted}."
    for name in sorted(there.sequences.keys() ^ here.sequences.keys()):
        fault = "no migration here makes it" if name in there.sequences else "it is missing"
        yield f"sequence {name}: {fault}."


def _name(migrations: set[tuple[str, str]]) -> str:
    return ", ".join(f"{app}.{name}" for app, name in sorted(migrations))
