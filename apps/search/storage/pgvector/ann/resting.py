"""Lets ANN indexes rest that nobody searches: they take disk and memory, and cost every write.

One that rests is dropped. An empty index stands in its place, so that nobody builds it again before somebody
searches; its comment says since when, and what that freed. Searches are exact meanwhile, and the first one
asks for it (`ann_index_wanted`). PostgreSQL knows when an index was last searched, so no search notes it.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from apps.search.storage.pgvector.ann.builder import AnnIndexBusyError, rest_ann_index
from apps.search.storage.pgvector.ann.report import carry_out, report_ann_indexes
from apps.search.storage.pgvector.ann.status import StoredAnnIndex, list_ann_indexes, list_tables
from apps.search.storage.pgvector.conf import conf
from apps.search.storage.pgvector.tables.ann_index import RESTING, UNFINISHED, get_declared_ann_index
from tenants.audit import record
from tenants.context import connection, get_current_schema

SCHEMAS = """
    SELECT DISTINCT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'i' AND c.relname ~ '^pgvector_[0-9a-f]{16}_hnsw$'
"""


def find_schemas() -> set[str]:
    """Return the schemas of all tenants, bound or not, that have an ANN index which may rest."""
    with connection.cursor() as cursor:
        cursor.execute(SCHEMAS)
        return {name for (name,) in cursor.fetchall()}


def rest_ann_indexes(*, at_once: bool = False) -> Iterator[tuple[str, int]]:
    """Drop the bound tenant's ANN indexes that no search has used for PGVECTOR["REST_AFTER_DAYS"].

    `at_once` drops all, whenever they were used. Those that a table declares stay, and so do all where the
    setting is None. Yields the label of each and the bytes that it had.
    """
    if conf.REST_AFTER_DAYS is None:
        return
    for model in list_tables():
        stored = {} if get_declared_ann_index(model) else list_ann_indexes(model)
        for name, index in stored.items():
            if name.endswith((UNFINISHED, RESTING)) or not (at_once or _is_quiet(index)):
                continue
            with suppress(AnnIndexBusyError):  # whoever works on it has a reason
                rest_ann_index(model, name, index.size)
                label = f"{get_current_schema()}: {index.about.get('space')}/{index.about.get('index_name')}"
                record("rest ANN index", label)
                yield label, index.size


def wake_ann_index(model: Any, name: str) -> list[str]:
    """Build an ANN index that rests; return the faults. Harmless to repeat."""
    resting = [
        replace(status, action="build", why="a search asked for it")
        for status in report_ann_indexes()
        if (status.model, status.name, status.mode) == (model, name, "resting")
    ]
    return [fault for _, fault in carry_out(resting) if fault]


def _is_quiet(index: StoredAnnIndex) -> bool:
    limit = timezone.now() - timedelta(days=conf.REST_AFTER_DAYS or 0)
    built_at = datetime.fromisoformat(index.about["built_at"]) if "built_at" in index.about else limit
    return max(index.used_at, built_at) <= limit
