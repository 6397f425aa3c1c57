"""Rows out of a schema and into another, by COPY in text format, which means the same to every PostgreSQL.

Whatever passes is a stream: the largest table needs no more memory than the smallest. The settings are those
under which pg_dump writes, so a number or a vector that is read again is the same to the last bit. Sources:
PostgreSQL's manual, "COPY"; pg_dump.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import IO

import psycopg
from django.db import DatabaseError, transaction
from psycopg import sql

from apps.operations.bundles.archive import CheckedReader, Progress, ignore
from apps.operations.bundles.errors import BundleError
from apps.operations.bundles.manifest import Sequence, TableContent
from apps.operations.bundles.schema import GENERATED
from tenants.context import connection

SESSION = """
    SET LOCAL datestyle = 'ISO, YMD';
    SET LOCAL intervalstyle = 'postgres';
    SET LOCAL extra_float_digits = 3
"""


@contextmanager
def snapshot() -> Iterator[None]:
    """Let the database look as it does now until the end of the block, whoever writes meanwhile.

    In a caller's transaction it looks as the caller sees it.
    """
    is_own = not connection.in_atomic_block
    with transaction.atomic():
        if is_own:
            _execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        use_plain_formats()
        yield


def use_plain_formats() -> None:
    """Set, for the transaction, what the text of dates, intervals and floating-point numbers depends on."""
    _execute(SESSION)


def lock_tables(schema: str, tables: list[str]) -> None:
    """Keep everybody from changing or dropping the tables until the end of the transaction."""
    for table in tables:
        _execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(sql.Identifier(schema, table)))


def copy_out(
    schema: str,
    table: str,
    columns: dict[str, str],
    target: IO[bytes],
    progress: Progress = ignore,
) -> TableContent:
    """Write all rows of a table to a file and return what was written."""
    digest, size = sha256(), 0
    with connection.cursor() as cursor:
        with cursor.copy(_copy("COPY {} {} TO STDOUT", schema, table, columns)) as copy:
            for block in copy:
                target.write(block)
                digest.update(block)
                size += len(block)
                progress(len(block))
        rows = cursor.rowcount
    return TableContent(name=table, columns=columns, rows=rows, bytes=size, sha256=digest.hexdigest())


def empty_tables(schema: str, tables: list[str]) -> None:
    """Delete all rows; the tables come in the order in which they can be filled."""
    for table in reversed(tables):
        _execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(schema, table)))


def copy_in(schema: str, table: TableContent, reader: CheckedReader) -> None:
    """Add the rows to a table of these columns.

    Raises BundleError when PostgreSQL refuses them, or they are not what the manifest says.
    """
    with refusals_named(f"table {table.name}"), connection.cursor() as cursor:
        with cursor.copy(_copy("COPY {} {} FROM STDIN", schema, table.name, table.columns)) as copy:
            for block in reader:
                copy.write(block)
        if cursor.rowcount != table.rows or not reader.is_genuine():
            raise BundleError([f"table {table.name}: its rows are not those of the manifest."])


def read_sequences(schema: str, names: Iterable[str]) -> dict[str, Sequence]:
    """Return where the sequences stand."""
    found = {}
    with connection.cursor() as cursor:
        for name in names:
            query = sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(schema, name))
            cursor.execute(query)
            last_value, is_called = cursor.fetchone()
            found[name] = Sequence(last_value=last_value, is_called=is_called)
    return found


def set_sequence(schema: str, name: str, sequence: Sequence) -> None:
    """Let a sequence go on where the other one would. Raises BundleError for a value that it cannot have.

    Said as DDL and a plain query: where schemas are spread over machines, setval() would not reach the one
    that holds the sequence.
    """
    place = sql.Identifier(schema, name)
    restart = sql.SQL("ALTER SEQUENCE {} RESTART WITH {}").format(place, sql.Literal(sequence.last_value))
    with refusals_named(f"sequence {name}"):
        _execute(restart)
        if sequence.is_called:
            _execute(sql.SQL("SELECT nextval({})").format(sql.Literal(place.as_string())))


@contextmanager
def refusals_named(subject: str) -> Iterator[None]:
    """Turn PostgreSQL's refusals into BundleError, without its text, which quotes what a tenant wrote."""
    try:
        yield
    except (DatabaseError, psycopg.DatabaseError) as error:
        cause = error if isinstance(error, psycopg.Error) else error.__cause__
        if not isinstance(cause, psycopg.Error):
            raise
        diagnosis = cause.diag
        places = (diagnosis.table_name, diagnosis.column_name, diagnosis.constraint_name)
        named = " ".join(place for place in places if place)
        raise BundleError([f"{subject}: PostgreSQL refuses it ({type(cause).__name__}: {named})."]) from error


def _execute(statement: str | sql.Composed) -> None:
    with connection.cursor() as cursor:  # a new one each time: it takes on the role of who is bound
        cursor.execute(statement)


def _copy(command: str, schema: str, table: str, columns: dict[str, str]) -> sql.Composed:
    copied = [sql.Identifier(name) for name, kind in columns.items() if not kind.endswith(GENERATED)]
    listed = sql.SQL("({})").format(sql.SQL(", ").join(copied)) if copied else sql.SQL("")
    options = " WITH (FORMAT text, ENCODING 'UTF8')"
    return sql.SQL(command + options).format(sql.Identifier(schema, table), listed)
