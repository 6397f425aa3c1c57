"""Copies rows out of a schema and into another, with their sequences and indexes.

COPY writes text, which means the same to every PostgreSQL. Rows are streamed: the largest table needs no more
memory than the smallest. With pg_dump's settings, numbers and vectors stay the same to the last bit.
Large tables are filled without their indexes: an ANN index takes some hundred rows a second one by one,
and many times as many at once. Sources: PostgreSQL's manual, "COPY"; pg_dump.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import psycopg
from django.db import DatabaseError, OperationalError, transaction
from psycopg import errors, sql

from apps.operations.bundles.archive import CheckedReader
from apps.operations.bundles.copying import ReadingWriter
from apps.operations.bundles.manifest import BundleError, Sequence, TableContent
from apps.operations.bundles.progress import Progress
from apps.operations.bundles.schema import GENERATED
from tenants.context import connection

MANY = 1_000  # rows of a large table
MEMORY = 512  # megabytes for making an index, unless the server gives more

# Without those that their statement does not describe fully, such as a constraint's.
INDEXES = """
    SELECT c.relname, pg_get_indexdef(indexrelid) FROM pg_index
    JOIN pg_class c ON c.oid = indexrelid JOIN pg_class t ON t.oid = indrelid
    WHERE t.relnamespace = %s::regnamespace AND t.relname = ANY(%s)
        AND NOT (indisclustered OR indisreplident) AND obj_description(indexrelid, 'pg_class') IS NULL
        AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
    ORDER BY c.relname
"""
SESSION = """
    SET LOCAL datestyle = 'ISO, YMD';
    SET LOCAL intervalstyle = 'postgres';
    SET LOCAL extra_float_digits = 3
"""


@contextmanager
def snapshot() -> Iterator[None]:
    """Show the database as it is now until the end of the block, even if others write meanwhile.

    In a caller's transaction it shows what the caller sees.
    """
    is_own = not connection.in_atomic_block
    with transaction.atomic():
        if is_own:
            _execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        use_plain_formats()
        yield


def use_plain_formats() -> None:
    """Set, for the transaction, how dates, intervals and floating-point numbers are written."""
    _execute(SESSION)


def lock_tables(schema: str, tables: list[str]) -> None:
    """Keep the tables from being changed or dropped until the end of the transaction."""
    for table in tables:
        _execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(sql.Identifier(schema, table)))


def copy_out(
    schema: str, table: str, columns: dict[str, str], path: Path, progress: Progress
) -> TableContent:
    """Write all rows of a table to a new file and return what was written."""
    digest, size = sha256(), 0
    with path.open("wb") as target, connection.cursor() as cursor:
        with cursor.copy(_copy("COPY {} {} TO STDOUT", schema, table, columns)) as copy:
            for block in copy:
                target.write(block)
                digest.update(block)
                size += len(block)
                progress(len(block))
        rows = cursor.rowcount
    return TableContent(name=table, columns=columns, rows=rows, bytes=size, sha256=digest.hexdigest())


def empty_tables(schema: str, tables: list[str]) -> None:
    """Delete all rows. The tables are listed in the order in which they can be filled."""
    for table in reversed(tables):
        _execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(schema, table)))


def copy_in(schema: str, table: TableContent, reader: CheckedReader) -> None:
    """Add rows to a table. Raises BundleError when PostgreSQL refuses them or they are the wrong ones."""
    with refusals_named(f"table {table.name}"), connection.cursor() as cursor:
        statement = _copy("COPY {} {} FROM STDIN", schema, table.name, table.columns)
        # Where DEBUG is on, Django's cursor has a `copy` that knows no `writer`.
        with cursor.cursor.copy(statement, writer=ReadingWriter(cursor.cursor)) as copy:
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

    Where schemas are spread over machines, DDL reaches the one that holds the sequence. setval() does not.
    """
    place = sql.Identifier(schema, name)
    restart = sql.SQL("ALTER SEQUENCE {} RESTART WITH {}").format(place, sql.Literal(sequence.last_value))
    with refusals_named(f"sequence {name}"):
        _execute(restart)
        if sequence.is_called:
            _execute(sql.SQL("SELECT nextval({})").format(sql.Literal(place.as_string())))


def drop_indexes(schema: str, tables: list[str]) -> list[str]:
    """Drop the indexes of these tables; return the statements that make them again."""
    with connection.cursor() as cursor:
        cursor.execute(INDEXES, [schema, tables])
        found = cursor.fetchall()
        for name, _ in found:
            cursor.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(schema, name)))
    return [statement for _, statement in found]


def make_indexes(statements: list[str]) -> None:
    """Make the indexes again, with plenty of memory."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT setting::bigint / 1024 FROM pg_settings WHERE name = 'maintenance_work_mem'")
        (memory,) = cursor.fetchone()
        cursor.execute(f"SET LOCAL maintenance_work_mem = '{max(memory, MEMORY)}MB'")
        for statement in statements:
            try:
                with transaction.atomic():
                    cursor.execute(statement)
            except OperationalError as error:
                if not isinstance(error.__cause__, errors.DiskFull):
                    raise
                # Shared memory is too small for parallel workers, as in many containers.
                cursor.execute("SET LOCAL max_parallel_maintenance_workers = 0")
                cursor.execute(statement)


def analyze(schema: str, tables: list[str]) -> None:
    """Tell the planner of the new rows, which it would learn from autovacuum only later."""
    for table in tables:
        _execute(sql.SQL("ANALYZE {}").format(sql.Identifier(schema, table)))


@contextmanager
def refusals_named(subject: str) -> Iterator[None]:
    """Turn PostgreSQL's refusals into BundleError, without their text, which quotes what a tenant wrote."""
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
