"""The vector indexes of the bound tenant: a report of what should change, and the carrying out of it.

A table that declares no index gets one for each (space, index) that has many rows, and loses it when they
are few; a table that declares one keeps it, and it is rebuilt where it has become useless.
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
    rebuild_ann_index,
)
from apps.search.storage.pgvector.ann.policy import (
    FEWER,
    get_index_rows,
    judge,
    judge_declared,
    judge_orphan,
)
from apps.search.storage.pgvector.ann.recall import measure_recall
from apps.search.storage.pgvector.ann.status import (
    AnnIndexStatus,
    list_ann_indexes,
    list_statuses,
    list_tables,
    make_status,
)
from apps.search.storage.pgvector.keywords.pending import make_pending_keywords
from apps.search.storage.pgvector.tables.ann_index import forget_ann_indexes, get_declared_ann_index
from tenants.context import connection

USABLE = ("hnsw", "ivfflat", "binary")


class AnnIndexError(RuntimeError):
    """An index could not be built, rebuilt or dropped; the message is PostgreSQL's."""


def report_ann_indexes(*, index_name: str | None = None, with_recall: bool = False) -> list[AnnIndexStatus]:
    """Return what there is in the bound tenant, a status for each index of each space of each table.

    `index_name` keeps that index only. The recall is measured where a vector index is in use, which takes
    some sixty searches. Raises NoTenantError while no tenant is bound.
    """
    forget_ann_indexes()
    found = [status for model in list_tables() for status in _report_table(model)]
    kept = [status for status in found if index_name in (None, status.index_name)]
    return [_with_recall(status) for status in kept] if with_recall else kept


def needs_report() -> bool:
    """Return whether an index of the bound tenant may need work; cheap, for it is asked after writes."""
    enough = get_index_rows() // FEWER
    return any(
        model.objects.order_by().values("pk")[:enough].count() >= enough
        or (get_declared_ann_index(model) is None and list_ann_indexes(model))
        for model in list_tables()
    )


def carry_out(
    statuses: Iterable[AnnIndexStatus], *, progress: Callable[[AnnIndexStatus], object] = lambda status: None
) -> Iterator[tuple[AnnIndexStatus, str]]:
    """Do what the statuses propose; yield each that has an action, with why it failed, "" when it did not.

    `progress` is called before each. What another session is doing already is left to it and not yielded.
    """
    due = {(status.schema, status.name): status for status in statuses if status.action != "none"}
    for status in due.values():
        progress(status)
        try:
            act(status)
        except AnnIndexBusyError:
            continue
        except AnnIndexError as error:
            yield status, str(error)
        else:
            yield status, ""


def act(status: AnnIndexStatus) -> None:
    """Carry out a status's action; again is harmless.

    Raises AnnIndexBusyError when another session is at it and AnnIndexError when PostgreSQL refuses.
    """
    try:
        # In a caller's transaction a failure must not spoil the rest of it.
        with transaction.atomic() if connection.in_atomic_block else nullcontext():
            _act(status)
    except Error as error:
        reason = str(error).partition("\n")[0]
        raise AnnIndexError(f"{status.label}: {status.action} failed: {reason}") from error


def _act(status: AnnIndexStatus) -> None:
    if status.action == "drop":
        drop_ann_index(status.name)
    elif status.action == "rebuild" and get_declared_ann_index(status.model) is not None:
        rebuild_ann_index(status.name, status.table_rows, status.dimensions)
    elif status.action in ("build", "rebuild"):
        # Afterwards each row that still waits for its words would cost an insertion into the index.
        make_pending_keywords(status.model, status.space, status.index_name)
        build_ann_index(status.model, status.space, status.index_name, status.dimensions, status.rows)


def _report_table(model: Any) -> list[AnnIndexStatus]:
    statuses, found = list_statuses(model), list_ann_indexes(model)
    declared = get_declared_ann_index(model)
    if declared is None:
        judged = [judge(status, found.pop(status.name, None)) for status in statuses]
        return judged + [judge_orphan(model, name, index) for name, index in found.items()]
    if not statuses and not all(index.is_valid for index in found.values()):
        statuses = [make_status(model, "", "")]
    return [judge_declared(status, found.get(status.name)) for status in statuses]


def _with_recall(status: AnnIndexStatus) -> AnnIndexStatus:
    if status.mode not in USABLE or not status.rows:
        return status
    return replace(status, recall=measure_recall(status.model, status.space, status.index_name))
