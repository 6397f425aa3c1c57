"""Reports what should change about the bound tenant's ANN indexes, and carries it out.

A table that declares no ANN index gets one for each (space, index) that has many rows, and loses it when they
become few. A table that declares one keeps it; it is rebuilt where it has become useless.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from django.db import Error, transaction

from apps.search.storage.pgvector.ann.builder import (
    AnnIndexBusyError,
    build_ann_index,
    drop_ann_index,
    note_down,
    rebuild_ann_index,
)
from apps.search.storage.pgvector.ann.policy import (
    get_fewest_rows,
    judge,
    judge_declared,
    judge_orphan,
    judge_resting,
)
from apps.search.storage.pgvector.ann.recall import choose_effort, measure_recall
from apps.search.storage.pgvector.ann.status import (
    AnnIndexStatus,
    StoredAnnIndex,
    list_ann_indexes,
    list_statuses,
    list_tables,
    make_status,
)
from apps.search.storage.pgvector.conf import conf
from apps.search.storage.pgvector.keywords.pending import make_pending_keywords
from apps.search.storage.pgvector.searching.tuning import get_recall
from apps.search.storage.pgvector.tables.ann_index import (
    RESTING,
    UNFINISHED,
    find_ann_index,
    forget_ann_indexes,
    get_declared_ann_index,
)
from tenants.audit import record
from tenants.context import connection

USABLE = ("hnsw", "ivfflat", "binary")


class AnnIndexError(RuntimeError):
    """ANN indexes could not be built, rebuilt or dropped; the message holds PostgreSQL's."""


def report_ann_indexes(*, index_name: str | None = None, with_recall: bool = False) -> list[AnnIndexStatus]:
    """Return a status for each index of each space of each table of the bound tenant.

    `index_name` keeps that index only. `with_recall` measures the recall where an ANN index is in use, which
    takes some sixty searches each. Raises NoTenantError while no tenant is bound.
    """
    forget_ann_indexes()
    found = [status for model in list_tables() for status in _report_table(model)]
    kept = [status for status in found if index_name in (None, status.index_name)]
    return [
        replace(each, recall=measure_recall(each.model, each.space, each.index_name))
        if with_recall and each.mode in USABLE and each.rows
        else each
        for each in kept
    ]


def needs_report() -> bool:
    """Return whether an ANN index of the bound tenant may need work; cheap, because every write asks."""
    enough = get_fewest_rows()
    return any(
        model.objects.order_by().values("pk")[:enough].count() >= enough
        or (get_declared_ann_index(model) is None and list_ann_indexes(model))
        for model in list_tables()
    )


def carry_out(
    statuses: Iterable[AnnIndexStatus],
    *,
    progress: Callable[[AnnIndexStatus], object] = lambda status: None,
) -> Iterator[tuple[AnnIndexStatus, str]]:
    """Do what the statuses propose; yield each with why it failed, "" when it did not. Harmless to repeat.

    Yields only those that have an action, and leaves out what another session is doing already. `progress` is
    called before each. Raises django.db.Error when the session is lost, for example because it was killed.
    """
    due = {(status.schema, status.name): status for status in statuses if status.action != "none"}
    for status in due.values():
        progress(status)
        try:
            # In a caller's transaction a failure must not spoil the rest of it.
            with transaction.atomic() if connection.in_atomic_block else nullcontext():
                _act(status)
        except AnnIndexBusyError:
            continue
        except Error as error:
            if not (connection.in_atomic_block or connection.is_usable()):
                raise  # a lost session is no fault of the ANN index's: the worker runs the task again
            reason = str(error).partition("\n")[0]
            yield status, f"{status.label}: {status.action} failed: {reason}"
        else:
            record(f"{status.action} ANN index", status.label)
            yield status, ""


def measure_ann_index(model: Any, space: str, index_name: str, dimensions: int, rows: int) -> None:
    """Note down how hard searches through an HNSW index must try, for the recall that the space aims at.

    `rows` is about how many there are. Leaves an ANN index alone that serves several indexes. Raises
    AnnIndexBusyError when another session works on it.
    """
    forget_ann_indexes()
    index = find_ann_index(model, space, index_name, dimensions)
    if index is None or index.mode != "hnsw" or index.is_shared:
        return
    effort = choose_effort(model, space, index_name, target=get_recall(space), rows=rows)
    if effort is not None:
        note_down(index.name, effort.note())


def _act(status: AnnIndexStatus) -> None:
    if status.action == "drop":
        drop_ann_index(status.name)
        return
    if status.action == "measure":
        pass
    elif status.action == "rebuild" and get_declared_ann_index(status.model) is not None:
        rebuild_ann_index(status.name, status.table_rows, status.dimensions)
    else:
        # Later, each row that still waits for its words would cost an insertion into the ANN index.
        make_pending_keywords(status.model, status.space, status.index_name)
        key = (status.model, status.space, status.index_name, status.dimensions)
        build_ann_index(*key, status.rows, anew=status.action == "rebuild", m=status.m)
    measure_ann_index(status.model, status.space, status.index_name, status.dimensions, status.rows)


def _list_unfinished(statuses: list[AnnIndexStatus]) -> set[str]:
    """The ANN indexes that are not finished, where a status says so: it is being built, or will be."""
    return {each.name + UNFINISHED for each in statuses if each.mode == "building" or each.action == "build"}


def _judge(status: AnnIndexStatus, stored: dict[str, StoredAnnIndex]) -> AnnIndexStatus:
    """Judge a status, and take what belongs to it out of `stored`."""
    index = stored.pop(status.name, None)
    if index is None and status.rows >= conf.INDEX_ROWS and (status.name + RESTING) in stored:
        return judge_resting(status, stored.pop(status.name + RESTING))
    return judge(status, index)


def _report_table(model: Any) -> list[AnnIndexStatus]:
    statuses, stored = list_statuses(model), list_ann_indexes(model)
    if get_declared_ann_index(model) is None:
        judged = [_judge(status, stored) for status in statuses]
        left = {name: index for name, index in stored.items() if name not in _list_unfinished(judged)}
        return judged + [judge_orphan(model, name, index) for name, index in left.items()]
    if not statuses and not all(index.is_valid for index in stored.values()):
        statuses = [make_status(model, "", "")]
    return [judge_declared(status, stored.get(status.name)) for status in statuses]
