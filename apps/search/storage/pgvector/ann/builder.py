"""Builds, rebuilds and drops one ANN index of the bound tenant.

Outside of a transaction everything is done CONCURRENTLY, so that readers and writers go on (PostgreSQL's
manual, "CREATE INDEX", section "Building Indexes Concurrently"). Inside a transaction PostgreSQL refuses
that; the plain statements keep writers waiting, but only tests and hand-made transactions need them.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from typing import Any

from django.db import Error, OperationalError
from django.utils import timezone
from psycopg import errors, sql

from apps.search.storage.pgvector.ann.copies import find_copied
from apps.search.storage.pgvector.conf import conf
from apps.search.storage.pgvector.tables.ann_index import (
    COPIES,
    RESTING,
    UNFINISHED,
    forget_ann_indexes,
    get_ann_index_name,
    get_cast,
    get_mode,
    parse_comment,
)
from apps.search.storage.pgvector.tables.left_out import cast_sql, digest_sql, left_out_sql
from tenants.context import connection, get_current_schema, owner_rights
from tenants.locks import Lock, give_back, take

M, CANDIDATES = 16, 4  # pgvector's defaults: neighbours of a node, and times as many looked at in the build
ROW_OVERHEAD = 800  # bytes of the graph for a row beside its vector: 708 measured with m=16, and a reserve
# A concurrent build waits for the transactions that began before it; a long one is no reason to fail soon.
PATIENCE = "10min"
LASTING = ("space", "index_name", "dimensions")  # of what is noted down, while it rests
SESSION = {"statement_timeout": "0", "lock_timeout": PATIENCE}
SHARE = 32  # megabytes of the memory that PostgreSQL wants to have for each process of a build
ALLOWED = """
    SELECT pg_size_bytes(current_setting('maintenance_work_mem')) / 1048576,
        current_setting('max_parallel_maintenance_workers')::integer
"""
COMMENT = "SELECT obj_description(to_regclass(%s), 'pg_class')"
VALIDITY = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)"


class AnnIndexBusyError(RuntimeError):
    """Another session builds or drops this ANN index right now."""


def build_ann_index(
    model: Any, space: str, index_name: str, dimensions: int, rows: int, *, anew: bool = False, m: int = M
) -> None:
    """Build the ANN index of (space, index_name) in a table that declares none; leave a valid one as it is.

    `anew` replaces a valid one, which serves searches until then. `m` is how many neighbours each node of its
    graph has (Malkov and Yashunin 2018, section 4). Asks for memory according to `rows`, which is about how
    many there are, up to PGVECTOR["MAINTENANCE_WORK_MEM_MB"]. Drops what a failed build left behind, before
    and after. Raises AnnIndexBusyError when another session works on it, and django.db.Error when PostgreSQL
    cannot build it, for example because the vectors have several lengths.
    """
    name = get_ann_index_name(space, index_name, dimensions)
    with _working_on(name, _get_memory(rows, dimensions, m)):
        if _is_valid(name) and not anew:
            return
        _drop(name + UNFINISHED, name + COPIES + UNFINISHED)
        left_out = list(find_copied(model, space, index_name, dimensions))
        about = _read_about(name) | {
            "space": space,
            "index_name": index_name,
            "dimensions": dimensions,
            "rows": rows,
            "m": m,
            "built_at": timezone.now().isoformat(),
        }
        try:
            for kind in (COPIES, "") if left_out else ("",):
                new = name + kind + UNFINISHED
                _create(new, _create_sql(model, new, space, index_name, dimensions, left_out, m))
        except Error:
            if not connection.in_atomic_block:
                # An invalid ANN index serves no search, but costs every write and may refuse it.
                _drop(name + UNFINISHED, name + COPIES + UNFINISHED)
            raise
        # It gets its name last: a search that finds it reads its comment, too.
        _comment(name + UNFINISHED, about | {"left_out": left_out, "is_unit": True})
        for old in (name, name + COPIES):
            _drop(old)
            rename = "ALTER INDEX IF EXISTS {} RENAME TO {}"
            _execute(rename, _qualified(old + UNFINISHED), sql.Identifier(old))
        _drop(name + RESTING)
        # Without statistics of these two columns the planner expects a handful of rows and sorts them.
        _execute("ANALYZE {} (space, index_name, metadata)", _qualified(model._meta.db_table))


def rebuild_ann_index(name: str, rows: int, dimensions: int) -> None:
    """Rebuild an ANN index that a custom table declares; searches use the old one meanwhile, if it is valid.

    Raises AnnIndexBusyError when another session works on it, and django.db.Error when PostgreSQL cannot.
    """
    with _working_on(name, _get_memory(rows, dimensions)):
        for leftover in (f"{name}_ccnew", f"{name}_ccold"):
            if _is_valid(leftover) is False:
                _drop(leftover)
        about = _read_about(name)
        _execute(f"REINDEX INDEX{_concurrently()} {{}}", _qualified(name))
        _comment(name, about | {"rows": rows})


def note_down(name: str, about: dict[str, Any]) -> None:
    """Add to what is noted down about an ANN index. Raises AnnIndexBusyError when a session works on it."""
    with _working_on(name, 0):
        if _is_valid(name):
            _comment(name, _read_about(name) | about)


def drop_ann_index(name: str, *, patience: str = PATIENCE) -> None:
    """Drop the ANN index of that name, if there is one.

    Waits for other sessions' transactions as long as `patience` says, a value of lock_timeout. Raises
    AnnIndexBusyError as `build_ann_index`, and django.db.Error when they take longer.
    """
    with _working_on(name, 0):
        _execute(f"{_set()} lock_timeout = '{patience}'")
        _drop(name + COPIES, name)


def rest_ann_index(model: Any, name: str, size: int) -> None:
    """Drop an ANN index of so many bytes; an empty index in its place remembers it (see resting.py).

    Raises AnnIndexBusyError as `build_ann_index`, and django.db.Error when PostgreSQL cannot.
    """
    place = name + RESTING
    with _working_on(name, 0):
        about = {key: value for key, value in _read_about(name).items() if key in LASTING}
        _drop(place)
        create = f"CREATE INDEX{_concurrently()} {{}} ON {{}} (space) WHERE false"
        _execute(create, sql.Identifier(place), _qualified(model._meta.db_table))
        _comment(place, about | {"freed": size, "since": timezone.localdate().isoformat()})
        _drop(name + COPIES, name)


def _create_sql(
    model: Any, name: str, space: str, index_name: str, dimensions: int, left_out: list[str], m: int
) -> sql.Composed:
    """The ANN index that statement.py uses, or the index of the rows that it leaves out."""
    column = connection.ops.quote_name(model._meta.get_field("vector").column)
    cast = get_cast(dimensions)
    copied = left_out_sql(column, cast, left_out)
    if name.endswith(COPIES + UNFINISHED):
        using, condition = f"btree (({digest_sql(column, cast)}))", f" AND {copied}"
    else:
        using = f"hnsw (({cast_sql(column, cast)}) halfvec_cosine_ops)"
        if get_mode(dimensions) == "binary":
            using = f"hnsw ((binary_quantize({column})::{cast}) bit_hamming_ops)"
        using += f" WITH (m = {m:d}, ef_construction = {CANDIDATES * m:d})"
        condition = f" AND NOT ({copied})" if left_out else ""
    return sql.SQL("CREATE INDEX{} {} ON {} USING {} WHERE space = {} AND index_name = {}{}").format(
        sql.SQL(_concurrently()),
        sql.Identifier(name),
        _qualified(model._meta.db_table),
        sql.SQL(using),
        sql.Literal(space),
        sql.Literal(index_name),
        sql.SQL(condition),
    )


def _create(name: str, statement: sql.Composed) -> None:
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


def _drop(*names: str) -> None:
    for name in names:
        _execute(f"DROP INDEX{_concurrently()} IF EXISTS {{}}", _qualified(name))


def _is_valid(name: str) -> bool | None:
    """Return whether an index of the bound tenant is valid, None where there is none."""
    with connection.cursor() as cursor:
        cursor.execute(VALIDITY, [_qualified(name).as_string(None)])
        found = cursor.fetchone()
    return found[0] if found else None


def _read_about(name: str) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(COMMENT, [_qualified(name).as_string(None)])
        return parse_comment(cursor.fetchone()[0])


def _comment(name: str, about: dict[str, Any]) -> None:
    _execute("COMMENT ON INDEX {} IS {}", _qualified(name), sql.Literal(json.dumps(about)))


def _concurrently() -> str:
    return "" if connection.in_atomic_block else " CONCURRENTLY"


def _set() -> str:
    return "SET LOCAL" if connection.in_atomic_block else "SET"


def _qualified(name: str) -> sql.Identifier:
    """The name in the bound tenant's own schema, so that a missing table is never found in `public`."""
    return sql.Identifier(get_current_schema(), name)


def _execute(statement: str | sql.Composed, *parts: sql.Composable) -> None:
    composed = sql.SQL(statement).format(*parts) if isinstance(statement, str) else statement
    with connection.cursor() as cursor:
        cursor.execute(composed.as_string(cursor.connection))


def _get_memory(rows: int, dimensions: int, m: int = M) -> int:
    """Return the megabytes in which the graph fits; one that does not fit takes far longer to build."""
    return min(conf.MAINTENANCE_WORK_MEM_MB, ceil(estimate_size(rows, dimensions, m) / 2**20))


@contextmanager
def _working_on(name: str, megabytes: int) -> Iterator[None]:
    """Hold the ANN index's lock, with the session's parameters set; afterwards read the catalog anew.

    Tries the lock and never waits for it: a session that waits holds a snapshot, and a concurrent build
    waits for that.
    """
    in_transaction = connection.in_atomic_block
    if not take(Lock.ANN_INDEX, get_lock_name(name), wait=False, until_commit=in_transaction):
        raise AnnIndexBusyError(f"Another session works on the ANN index {get_current_schema()}.{name}.")
    try:
        with owner_rights():  # a tenant's own role owns no table
            for parameter, value in SESSION.items():
                _execute(f"{_set()} {parameter} = '{value}'")
            _allow(megabytes)
            yield
    finally:
        forget_ann_indexes()
        if not in_transaction and connection.is_usable():
            for parameter in (*SESSION, "maintenance_work_mem", "max_parallel_maintenance_workers"):
                _execute(f"RESET {parameter}")
            give_back(Lock.ANN_INDEX, get_lock_name(name))


def _allow(megabytes: int) -> None:
    """Let a build have the memory of its graph, and as many processes as are allowed."""
    if conf.MAINTENANCE_WORKERS is not None:
        _execute(f"{_set()} max_parallel_maintenance_workers = {conf.MAINTENANCE_WORKERS:d}")
    with connection.cursor() as cursor:
        cursor.execute(ALLOWED)
        current, workers = cursor.fetchone()
    if megabytes > SHARE:
        megabytes = max(megabytes, min(SHARE * (workers + 1), conf.MAINTENANCE_WORK_MEM_MB))
    if megabytes > current:
        _execute(f"{_set()} maintenance_work_mem = '{megabytes}MB'")


def estimate_size(rows: int, dimensions: int, m: int = M) -> int:
    """Return the bytes of a new graph of the default table, rather too many than too few; see `m` above."""
    vector_bytes = dimensions * 2 if get_mode(dimensions) == "hnsw" else dimensions // 8
    return rows * (vector_bytes + ROW_OVERHEAD * m // M)


def get_lock_name(name: str) -> str:
    """Return the name of the lock on an ANN index of the bound tenant, be it finished or not."""
    return f"{get_current_schema()}.{name.removesuffix(UNFINISHED)}"
