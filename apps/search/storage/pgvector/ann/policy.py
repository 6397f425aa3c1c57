"""Decides which ANN indexes pay and which have become useless: what should change, and why."""

from dataclasses import replace
from typing import Any

from django.template.defaultfilters import filesizeformat
from pgvector.django import IvfflatIndex

from apps.search.storage.pgvector.ann.builder import M, estimate_size
from apps.search.storage.pgvector.ann.copies import has_new_copies
from apps.search.storage.pgvector.ann.status import AnnIndexStatus, StoredAnnIndex, describe_work, make_status
from apps.search.storage.pgvector.conf import conf
from apps.search.storage.pgvector.searching.tuning import get_recall
from apps.search.storage.pgvector.tables.ann_index import UNFINISHED as ENDING
from apps.search.storage.pgvector.tables.ann_index import Effort, get_declared_ann_index, get_lists, get_mode

GROWN = 1.5  # so many times more rows, and searches may have to try harder
MISSED = "in use; even the largest effort finds {0.recall:.3f} of the nearest rows, not {0.target:g}"
SPARSE = (
    "even the largest effort finds {0.recall:.3f} of the nearest rows, not {0.target:g}; a denser graph may"
)
MOST_M = 64  # of a graph: twice as dense twice
FEWER = 2  # dropped only at so many times fewer rows, lest it come and go with every document
OUTGROWN = 10  # IVFFlat's centres are those of the rows it was built on; so many times more, and they mislead
UNFINISHED = "its build did not end: it serves no search, but costs every write"
BLOATED, SMALL = 2, 2**18  # so many times its estimated size, beyond so many bytes: most entries are dead
EMPTIED = "most rows that it holds were deleted, and searches look at them in vain"
OLD = "an older version built it: very short vectors are not found, and large numbers are refused"
COPIED = "many rows have one vector, which hides others: it will leave them out"


RESTING = "it rests since {since}, {size} of disk and memory are free; a search has it built again"


def get_fewest_rows() -> int:
    """Return the number of rows below which an index loses its ANN index."""
    return conf.INDEX_ROWS // FEWER


def judge(status: AnnIndexStatus, stored: StoredAnnIndex | None) -> AnnIndexStatus:
    """Decide on an index of a table that declares no ANN index; `stored` is the one in the catalog."""
    size = stored.size if stored else 0
    if work := describe_work(status.name):
        return replace(status, mode="building", size=size, why=work)
    if stored is None:
        if status.rows < conf.INDEX_ROWS:
            return replace(status, why=f"exact search is quick below {conf.INDEX_ROWS:,} rows")
        return replace(
            status, action="build", why=f"from {conf.INDEX_ROWS:,} rows on, an ANN index is quicker"
        )
    mode = get_mode(status.dimensions) if stored.is_valid else "invalid"
    status = replace(status, mode=mode, size=size, m=int(stored.about.get("m", M)))
    if status.rows < get_fewest_rows():
        return replace(status, action="drop", why=f"exact search is quick below {get_fewest_rows():,} rows")
    if not stored.is_valid:
        return replace(status, action="rebuild", why=UNFINISHED)
    if not stored.about.get("is_unit"):
        return replace(status, action="rebuild", why=OLD)
    if _is_bloated(size, status.rows, status.dimensions, status.m):
        return replace(status, action="rebuild", why=EMPTIED)
    if has_new_copies(status, stored.about.get("left_out", [])):
        return replace(status, action="rebuild", why=COPIED)
    status = _judge_effort(replace(status, why="in use"), stored)
    effort = Effort.read(stored.about)
    if status.misses_target and effort and status.m < MOST_M:
        return replace(
            status, action="rebuild", why=SPARSE.format(effort), misses_target=False, m=2 * status.m
        )
    return status


def judge_resting(status: AnnIndexStatus, resting: StoredAnnIndex) -> AnnIndexStatus:
    """Leave an ANN index that rests; what is noted down in its place says since when (see resting.py)."""
    since, freed = resting.about.get("since", "?"), filesizeformat(resting.about.get("freed", 0))
    return replace(status, mode="resting", why=RESTING.format(since=since, size=freed.replace("\xa0", " ")))


def judge_orphan(model: Any, name: str, stored: StoredAnnIndex) -> AnnIndexStatus:
    """Decide on an ANN index of ours that no rows call for any more."""
    space, index_name = (str(stored.about.get(key, "")) for key in ("space", "index_name"))
    dimensions = int(stored.about.get("dimensions", 0))
    status = make_status(model, space, index_name, dimensions=dimensions)
    status = replace(status, name=name, size=stored.size)
    if work := describe_work(name):
        return replace(status, mode="building", why=work)
    if name.endswith(ENDING):
        return replace(status, mode="invalid", action="drop", why=UNFINISHED)
    mode = get_mode(status.dimensions) if stored.is_valid else "invalid"
    return replace(status, mode=mode, action="drop", why=f"no rows with {dimensions or '?'} dimensions")


def judge_declared(status: AnnIndexStatus, stored: StoredAnnIndex | None) -> AnnIndexStatus:
    """Decide on an ANN index that the table's model declares: it is never dropped."""
    if stored is None:
        return replace(status, why=f"the model declares {status.name}, which is missing here: migrate")
    status = replace(status, size=stored.size)
    if work := describe_work(status.name):
        return replace(status, mode="building", why=work)
    if not stored.is_valid:
        return replace(status, mode="invalid", action="rebuild", why=UNFINISHED)
    declared = get_declared_ann_index(status.model)
    if not isinstance(declared, IvfflatIndex):
        status = replace(status, mode="hnsw", why="declared by the model")
        # Its numbers may take four bytes each.
        if status.table_rows < get_fewest_rows():
            return status
        if _is_bloated(stored.size, status.table_rows, 2 * status.dimensions):
            return replace(status, action="rebuild", why=EMPTIED)
        # Where others share it, every search is a filtered one.
        return _judge_effort(status, stored) if status.rows == status.table_rows else status
    status = replace(status, mode="ivfflat", why="declared by the model")
    # pgvector's manual, "IVFFlat": create it after the table has some data. A migration builds it on an empty
    # table.
    built_on = int(stored.about.get("rows", 0))
    if status.table_rows < max(conf.INDEX_ROWS, OUTGROWN * built_on):
        return status
    basis = f"{built_on:,} rows" if built_on else "what the migration found"
    why = f"its {get_lists(declared)} lists are those of {basis}; there are {status.table_rows:,} rows"
    return replace(status, action="rebuild", why=why)


def _judge_effort(status: AnnIndexStatus, stored: StoredAnnIndex) -> AnnIndexStatus:
    """Decide whether it must be measured how hard searches have to try, in an HNSW index."""
    if status.mode != "hnsw":
        return status
    effort, target = Effort.read(stored.about), get_recall(status.space)
    if effort is None:
        return replace(status, action="measure", why="how hard searches must try was not measured yet")
    if effort.target != target:
        why = f"searches are to find {target:g} of the nearest rows; it was {effort.target:g} when measured"
        return replace(status, action="measure", why=why)
    if status.rows > GROWN * effort.rows:
        why = f"its effort was measured with {effort.rows:,} rows; there are {status.rows:,}"
        return replace(status, action="measure", why=why)
    if not effort.is_met:
        return replace(status, why=MISSED.format(effort), misses_target=True)
    return status


def _is_bloated(size: int, rows: int, dimensions: int, m: int = M) -> bool:
    """Whether an HNSW index has the size of one of far more rows.

    pgvector keeps the entries of deleted rows until VACUUM, which relinks the graph and takes many times as
    long as to build it anew, and never makes the file smaller.
    """
    return size - SMALL > BLOATED * estimate_size(rows, dimensions, m)
