"""Which vector indexes pay, and which have become useless: what should change, and why."""

from dataclasses import replace
from typing import Any

from django.conf import settings
from pgvector.django import IvfflatIndex

from apps.search.storage.pgvector.ann.builder import is_busy
from apps.search.storage.pgvector.ann.status import AnnIndexStatus, StoredAnnIndex, make_status
from apps.search.storage.pgvector.tables.ann_index import MAX_HALFVEC_DIMENSIONS, get_declared_ann_index

# Measured with 384 dimensions: an exact search takes as long as one through the index at 1,500 rows, three
# times as long at 3,000, six to thirteen times, 3 to 9 ms, at 5,000. Below, an index costs every write more
# than it saves a search; and a filtered search is exact up to as many rows (planner.EXACT_ROWS).
INDEX_ROWS = 5_000
FEWER = 2  # an index is dropped at so many times fewer rows, lest it come and go with every document
OUTGROWN = 10  # IVFFlat's centres are those of the rows it was built on; so many times more, and they mislead
BUSY = "a worker is at it"
UNFINISHED = "its build did not end: it serves no search, but costs every write"


def get_index_rows() -> int:
    """Return from how many rows on an index gets a vector index (PGVECTOR["INDEX_ROWS"])."""
    return getattr(settings, "PGVECTOR", {}).get("INDEX_ROWS", INDEX_ROWS)


def judge(status: AnnIndexStatus, found: StoredAnnIndex | None) -> AnnIndexStatus:
    """Decide on an index of a table that declares none; `found` is what the catalog has for it."""
    most = get_index_rows()
    least = most // FEWER
    size = found.size if found else 0
    if is_busy(status.name):
        return replace(status, mode="building", size=size, why=BUSY)
    if found is None:
        if status.rows < most:
            return replace(status, why=f"exact search is quick below {most:,} rows")
        return replace(status, action="build", why=f"from {most:,} rows on an index is quicker")
    status = replace(status, mode=_mode(status) if found.is_valid else "invalid", size=size)
    if status.rows < least:
        return replace(status, action="drop", why=f"exact search is quick below {least:,} rows")
    if not found.is_valid:
        return replace(status, action="rebuild", why=UNFINISHED)
    return replace(status, why="in use")


def judge_orphan(model: Any, name: str, found: StoredAnnIndex) -> AnnIndexStatus:
    """Decide on an index of ours that no rows call for any more."""
    about = found.about
    space, index_name = str(about.get("space", "")), str(about.get("index_name", ""))
    dimensions = int(about.get("dimensions", 0))
    status = make_status(model, space, index_name, dimensions=dimensions)
    status = replace(status, name=name, size=found.size)
    if is_busy(name):
        return replace(status, mode="building", why=BUSY)
    mode = _mode(status) if found.is_valid else "invalid"
    return replace(status, mode=mode, action="drop", why=f"no rows with {dimensions or '?'} dimensions")


def judge_declared(status: AnnIndexStatus, found: StoredAnnIndex | None) -> AnnIndexStatus:
    """Decide on an index that the table's model declares: it is never dropped."""
    if found is None:
        return replace(status, why=f"the model declares {status.name}, which is missing here: migrate")
    is_ivfflat = isinstance(get_declared_ann_index(status.model), IvfflatIndex)
    status = replace(status, size=found.size)
    if is_busy(status.name):
        return replace(status, mode="building", why=BUSY)
    if not found.is_valid:
        return replace(status, mode="invalid", action="rebuild", why=UNFINISHED)
    status = replace(status, mode="ivfflat" if is_ivfflat else "hnsw", why="declared by the model")
    return _judge_centres(status, int(found.about.get("rows", 0))) if is_ivfflat else status


def _judge_centres(status: AnnIndexStatus, built_on: int) -> AnnIndexStatus:
    """Rebuild an IVFFlat index that has outgrown its centres; a migration builds it on an empty table.

    pgvector's manual, "IVFFlat": create it after the table has some data.
    """
    if status.table_rows < max(get_index_rows(), OUTGROWN * built_on):
        return status
    lists = getattr(get_declared_ann_index(status.model), "lists", None) or 100  # the server's default
    basis = f"{built_on:,} rows" if built_on else "what the migration found"
    why = f"its {lists} lists are those of {basis}; there are {status.table_rows:,} rows"
    return replace(status, action="rebuild", why=why)


def _mode(status: AnnIndexStatus) -> str:
    return "hnsw" if status.dimensions <= MAX_HALFVEC_DIMENSIONS else "binary"
