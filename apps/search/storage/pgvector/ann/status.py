"""The ANN indexes of the bound tenant, as the models declare them and the catalog shows them."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.apps import apps
from django.db.models import Count

from apps.search.storage.pgvector.ann.builder import M, get_lock_name
from apps.search.storage.pgvector.models import BasePgVectorEmbedding
from apps.search.storage.pgvector.tables.ann_index import (
    COPIES,
    RESTING,
    UNFINISHED,
    find_dimensions,
    get_ann_index_name,
    get_declared_ann_index,
    parse_comment,
)
from tenants.context import connection, get_current_schema, owner_rights
from tenants.locks import Lock, find_held

OWN_NAME = re.compile(rf"pgvector_[0-9a-f]{{16}}_hnsw({UNFINISHED}|{RESTING})?")
# By name, which the catalog has an index for; a thousand tenants have many thousand tables.
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = %s AND tablename = ANY(%s)"
CATALOG = """
    SELECT c.relname, i.indisvalid, pg_relation_size(c.oid), obj_description(c.oid, 'pg_class'), {used_at}
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
    WHERE n.nspname = %s AND t.relname = %s
"""
# PostgreSQL keeps the time of the last scan, and forgets it in a crash. Before 16 it does not know it.
USED_AT = "greatest(pg_stat_get_lastscan(c.oid), (SELECT stats_reset FROM pg_stat_bgwriter))"
KNOWS_SCANS = 160_000


# A build waits for other transactions first and last; between, it reads the table.
PROGRESS = """
    SELECT p.phase, 100 * p.blocks_done / nullif(p.blocks_total, 0)
    FROM pg_stat_progress_create_index p JOIN pg_class c ON c.oid = p.index_relid
    WHERE c.relnamespace = to_regnamespace(%s) AND c.relname = ANY(%s)
"""
BUSY = "a worker is working on it"


@dataclass(frozen=True)
class AnnIndexStatus:
    """One index of one space: how it is searched, and what should change about its ANN index.

    `name` and `size`, in bytes, are those of the ANN index; one that the model declares serves all
    `table_rows`. `mode` is "exact", "hnsw", "ivfflat", "binary", "building", "resting" or "invalid".
    `recall` is recall@10 against an exact search, None where it was not measured. `action` is "none",
    "build", "drop", "rebuild" or "measure", and `why` is the reason. `misses_target` says that no effort
    reaches the recall aimed at. `m` is how dense the graph is, or is to become.
    """

    schema: str
    model: Any
    space: str
    index_name: str
    rows: int
    table_rows: int
    dimensions: int
    name: str
    mode: str = "exact"
    size: int = 0
    recall: float | None = None
    action: str = "none"
    why: str = ""
    misses_target: bool = False
    m: int = M

    @property
    def label(self) -> str:
        """The schema, space and index, for a message."""
        return f"{self.schema}: {self.space or '?'}/{self.index_name or '?'}"


@dataclass(frozen=True)
class StoredAnnIndex:
    """An ANN index as the catalog shows it; `about` is what its builder noted down."""

    is_valid: bool
    size: int
    about: dict[str, Any]
    used_at: datetime  # at the latest; now, where PostgreSQL does not know it


def list_tables() -> list[Any]:
    """Return the embedding tables that the bound tenant has, as models."""
    models = [model for model in apps.get_models() if issubclass(model, BasePgVectorEmbedding)]
    with connection.cursor() as cursor:
        cursor.execute(TABLES, [get_current_schema(), [model._meta.db_table for model in models]])
        tables = {name for (name,) in cursor.fetchall()}
    return [model for model in models if model._meta.db_table in tables]


def list_statuses(model: Any) -> list[AnnIndexStatus]:
    """Return a status, not judged yet, for each (space, index) that has rows in the table."""
    keys = model.objects.order_by("space", "index_name").values_list("space", "index_name")
    counted = list(keys.annotate(count=Count("*")))
    total = sum(count for *_, count in counted)
    return [make_status(model, *key, rows=count, table_rows=total) for *key, count in counted]


def make_status(
    model: Any, space: str, index_name: str, *, rows: int = 0, table_rows: int = 0, dimensions: int = 0
) -> AnnIndexStatus:
    """Return a status that is not judged yet; `dimensions` are those stored, unless given."""
    dimensions = dimensions or find_dimensions(model, space, index_name) or 0
    declared = get_declared_ann_index(model)
    return AnnIndexStatus(
        schema=get_current_schema(),
        model=model,
        space=space,
        index_name=index_name,
        rows=rows,
        table_rows=table_rows,
        dimensions=dimensions,
        name=declared.name if declared else get_ann_index_name(space, index_name, dimensions),
    )


def list_ann_indexes(model: Any) -> dict[str, StoredAnnIndex]:
    """Return the table's ANN indexes that this app looks after, by their names."""
    declared = get_declared_ann_index(model)
    used_at = USED_AT if connection.pg_version >= KNOWS_SCANS else "now()"
    with owner_rights(), connection.cursor() as cursor:  # a tenant's role reads no sizes
        cursor.execute(CATALOG.format(used_at=used_at), [get_current_schema(), model._meta.db_table])
        return {
            name: StoredAnnIndex(is_valid, size, parse_comment(comment), used_at)
            for name, is_valid, size, comment, used_at in cursor.fetchall()
            if (name == declared.name if declared else OWN_NAME.fullmatch(name))
        }


def is_busy(name: str) -> bool:
    """Return whether another session builds or drops the ANN index of that name right now."""
    return bool(find_held(Lock.ANN_INDEX, [get_lock_name(name)], by_others=True))


def describe_work(name: str) -> str:
    """Return what another session does to the ANN index of that name, and how far it is, or ""."""
    if not is_busy(name):
        return ""
    names = [name + ending for ending in (UNFINISHED, COPIES + UNFINISHED, "_ccnew")]
    with owner_rights(), connection.cursor() as cursor:  # another role sees nothing of it
        cursor.execute(PROGRESS, [connection.ops.quote_name(get_current_schema()), names])
        phase, percent = cursor.fetchone() or ("", None)
    parts = [BUSY, phase, "" if percent is None else f"{percent} %"]
    return ", ".join(part for part in parts if part)
