"""Builds, rebuilds and drops one vector index of the bound tenant.

Outside a transaction nothing blocks readers and writers: everything is done CONCURRENTLY (PostgreSQL's
manual, "CREATE INDEX", section "Building Indexes Concurrently"). Inside one PostgreSQL refuses that, so the
plain statements are used, which keep writers waiting; only tests and hand-made transactions do so.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from typing import Any
from zlib import crc32

from django.conf import settings
from django.db import Error, OperationalError
from psycopg import errors, sql

from apps.search.storage.pgvector.tables.ann_index import (
    MAX_HALFVEC_DIMENSIONS,
    forget_ann_indexes,
    get_ann_index_name,
    get_cast,
)
from tenants.context import connection, get_current_schema, owner_rights

LOCK_SPACE = 0x1DE8  # the first key of the two-key advisory locks of this module
MAINTENANCE_WORK_MEM_MB = 512  # at most
ROW_OVERHEAD = 800  # bytes of the graph for a row beside its vector: 708 measured with m=16, and a reserve
# A concurrent build waits for the transactions that began before it; a long one is no reason to fail soon.
SESSION = {"statement_timeout": "0", "lock_timeout": "10min"}
INVALID_INDEXES = """
    SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %s AND NOT i.indisvalid AND c.relname = ANY(%s)
"""
IS_LOCKED = """
    SELECT EXISTS (
        SELECT FROM pg_locks
        WHERE locktype = 'advisory' AND classid = %s AND objid = %s AND pid <> pg_backend_pid()
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    )
"""


class AnnIndexBusyError(RuntimeError):
    """Another session builds or drops this index right now."""


def build_ann_index(model: Any, space: str, index_name: str, dimensions: int, rows: int) -> None:
    """Build the index of (space, index_name) in a table that declares none; a valid one is left as it is.

    `rows` is how many there are about; memory is asked for accordingly, up to
    PGVECTOR["MAINTENANCE_WORK_MEM_MB"]. What a failed build left behind is dropped, before and after.
    Raises AnnIndexBusyError when another session works on it, and django.db.Error when PostgreSQL cannot
    build it, for example because the vectors have several lengths.
    """
    name = get_ann_index_name(space, index_name, dimensions)
    about = {"space": space, "index_name": index_name, "dimensions": dimensions, "rows": rows}
    with _working_on(name, _get_memory(rows, dimensions)):
        _drop_invalid(name)
        _create(name, _create_sql(model, name, space, index_name, dimensions))
        _comment(name, about)
        # Without statistics of these two columns the planner expects a handful of rows and sorts them.
        _execute("ANALYZE {} (space, index_name, metadata)", _qualified(model._meta.db_table))


def rebuild_ann_index(name: str, rows: int, dimensions: int) -> None:
    """Rebuild an index that a custom table declares; searches use the old one meanwhile, if it is valid.

    Raises AnnIndexBusyError when another session is at it, and django.db.Error when PostgreSQL cannot.
    """
    with _working_on(name, _get_memory(rows, dimensions)):
        _drop_invalid(f"{name}_ccnew", f"{name}_ccold")
        _execute(f"REINDEX INDEX{_concurrently()} {{}}", _qualified(name))
        _comment(name, {"rows": rows})


def drop_ann_index(name: str) -> None:
    """Drop the index of that name, if it is there. Raises AnnIndexBusyError when another session is at it."""
    with _working_on(name, 0):
        _drop(name)


def is_busy(name: str) -> bool:
    """Return whether another session builds or drops the index of that name right now."""
    with connection.cursor() as cursor:
        cursor.execute(IS_LOCKED, [LOCK_SPACE, _lock_key(name) % 2**32])
        return bool(cursor.fetchone()[0])


def _create_sql(model: Any, name: str, space: str, index_name: str, dimensions: int) -> sql.Composed:
    """What find_ann_index() looks for and NearestQuerySet asks with; see vector_index.py."""
    is_binary = dimensions > MAX_HALFVEC_DIMENSIONS
    vector = "binary_quantize({column})" if is_binary else "{column}"
    operators = "bit_hamming_ops" if is_binary else "halfvec_cosine_ops"
    return sql.SQL(
        f"CREATE INDEX{_concurrently()} IF NOT EXISTS {{name}} ON {{table}} "
        f"USING hnsw (({vector}::{get_cast(dimensions)}) {operators}) "
        "WHERE space = {space} AND index_name = {index_name}"
    ).format(
        name=sql.Identifier(name),
        table=_qualified(model._meta.db_table),
        column=sql.Identifier(model._meta.get_field("vector").column),
        space=sql.Literal(space),
        index_name=sql.Literal(index_name),
    )


def _create(name: str, statement: sql.Composed) -> None:
    try:
        _execute_with_fewer_workers(name, statement)
    except Error:
        if not connection.in_atomic_block:
            _drop(name)  # an invalid index serves no search, but costs every write and may refuse it
        raise


def _execute_with_fewer_workers(name: str, statement: sql.Composed) -> None:
    """Execute; where the parallel workers' shared memory does not suffice, once more without them.

    Containers often have 64 MB of it, and pgvector asks for all of maintenance_work_mem.
    """
    try:
        _execute(statement)
    except OperationalError as error:
        if connection.in_atomic_block or not isinstance(error.__cause__, errors.DiskFull):
            raise
        _drop(name)
        _execute("SET max_parallel_maintenance_workers = 0")
        _execute(statement)


def _drop(name: str) -> None:
    _execute(f"DROP INDEX{_concurrently()} IF EXISTS {{}}", _qualified(name))


def _drop_invalid(*names: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(INVALID_INDEXES, [connection.schema_name, list(names)])
        found = [name for (name,) in cursor.fetchall()]
    for name in found:
        _drop(name)


def _comment(name: str, about: dict[str, Any]) -> None:
    _execute("COMMENT ON INDEX {} IS {}", _qualified(name), sql.Literal(json.dumps(about)))


def _concurrently() -> str:
    return "" if connection.in_atomic_block else " CONCURRENTLY"


def _qualified(name: str) -> sql.Identifier:
    """The name in the bound tenant's own schema, so that a missing table is never found in `public`."""
    return sql.Identifier(get_current_schema(), name)


def _execute(statement: str | sql.Composed, *parts: sql.Composable) -> None:
    composed = sql.SQL(statement).format(*parts) if isinstance(statement, str) else statement
    with connection.cursor() as cursor:
        cursor.execute(composed.as_string(cursor.connection))


def _get_memory(rows: int, dimensions: int) -> int:
    """Return the megabytes in which the graph fits; one that does not takes far longer to build."""
    vector_bytes = dimensions * 2 if dimensions <= MAX_HALFVEC_DIMENSIONS else dimensions // 8
    cap = getattr(settings, "PGVECTOR", {}).get("MAINTENANCE_WORK_MEM_MB", MAINTENANCE_WORK_MEM_MB)
    return min(cap, ceil(rows * (vector_bytes + ROW_OVERHEAD) / 2**20))


@contextmanager
def _working_on(name: str, megabytes: int) -> Iterator[None]:
    """Hold the index's lock and have the session's parameters set; afterwards look at the catalog anew.

    The lock is tried and never waited for: who waits holds a snapshot, and a concurrent build waits for that.
    """
    in_transaction = connection.in_atomic_block
    function = "pg_try_advisory_xact_lock" if in_transaction else "pg_try_advisory_lock"
    if not _select(function, name):
        raise AnnIndexBusyError(f"Another session works at the index {get_current_schema()}.{name}.")
    try:
        with owner_rights():  # a tenant's own role owns no table
            _configure(megabytes, "SET LOCAL" if in_transaction else "SET")
            yield
    finally:
        forget_ann_indexes()
        if not in_transaction and connection.is_usable():
            for parameter in (*SESSION, "maintenance_work_mem", "max_parallel_maintenance_workers"):
                _execute(f"RESET {parameter}")
            _select("pg_advisory_unlock", name)


def _configure(megabytes: int, command: str) -> None:
    for parameter, value in SESSION.items():
        _execute(f"{command} {parameter} = '{value}'")
    with connection.cursor() as cursor:
        cursor.execute("SELECT setting::bigint / 1024 FROM pg_settings WHERE name = 'maintenance_work_mem'")
        current = cursor.fetchone()[0]
    if megabytes > current:
        _execute(f"{command} maintenance_work_mem = '{megabytes}MB'")


def _select(function: str, name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s, %s)", [LOCK_SPACE, _lock_key(name)])
        return bool(cursor.fetchone()[0])


def _lock_key(name: str) -> int:
    return crc32(f"{get_current_schema()}.{name}".encode()) - 2**31
