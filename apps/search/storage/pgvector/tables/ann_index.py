"""Which index serves a search, as the models declare it and the catalog shows it.

A custom table has the index of its Meta. The default table's column has no fixed dimensions, so it cannot be
indexed as it is; but an expression that casts it can, for the rows of one index of one space:

    USING hnsw ((vector::halfvec(384)) halfvec_cosine_ops) WHERE space = 'default' AND index_name = 'articles'

halfvec halves the index at the same recall and reaches 4,000 dimensions; beyond, one bit a dimension is
indexed and the candidates are ranked again by the whole vectors (pgvector's manual, "Binary Quantization").
"""

import time
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from django.db.models import Func, IntegerField
from pgvector.django import HnswIndex, IvfflatIndex

from tenants.context import connection

MAX_HALFVEC_DIMENSIONS = 4_000  # dimensions
TTL = 15  # seconds for which the catalog's answer is believed
MAX_KNOWN = 10_000  # answers that a process keeps, of all tenants together


@dataclass(frozen=True)
class AnnIndex:
    """A usable index: `mode` is "hnsw", "ivfflat" or "binary", `cast` the type its expression casts to.

    `lists` is an IVFFlat index's number of lists. `is_shared` says that the table's one index also holds
    other spaces or indexes, so that every search of it is a filtered one. `rows` is how many rows it has, as
    PostgreSQL remembers, and `has_statistics` whether it can estimate what a filter on metadata leaves.
    """

    name: str
    mode: str
    cast: str = ""
    lists: int = 0
    is_shared: bool = False
    rows: int = -1
    has_statistics: bool = False


_known: dict[tuple[str, ...], tuple[float, AnnIndex | None]] = {}
_lengths: dict[tuple[str, ...], tuple[float, int | None]] = {}


def find_ann_index(model: Any, space: str, index_name: str, dimensions: int | None) -> AnnIndex | None:
    """Return the index that serves searches of (space, index_name) in the bound tenant, or None.

    Believes what it saw up to TTL seconds ago. Both mistakes that follow are harmless: a search that does
    not yet use a new index, and one that still names a dropped one, are exact and therefore slower.
    """
    key = (connection.schema_name, model._meta.db_table, space, index_name, str(dimensions))
    expires, found = _known.get(key, (0.0, None))
    if expires < time.monotonic():
        found = _look_up(model, space, index_name, dimensions)
        _remember(_known, key, found)
    return found


def find_dimensions(model: Any, space: str, index_name: str, *, anew: bool = False) -> int | None:
    """Return the length of the vectors stored for (space, index_name), or None while there are none.

    Believes what it saw up to TTL seconds ago, unless it is to look anew.
    """
    key = (connection.schema_name, model._meta.db_table, space, index_name)
    expires, found = _lengths.get(key, (0.0, None))
    if anew or found is None or expires < time.monotonic():
        length = Func("vector", function="vector_dims", output_field=IntegerField())
        rows = model.objects.filter(space=space, index_name=index_name)
        found = rows.values_list(length, flat=True).first()
        _remember(_lengths, key, found)
    return found


def forget_ann_indexes() -> None:
    """Make this process look into the catalog and the tables again."""
    _known.clear()
    _lengths.clear()


def get_ann_index_name(space: str, index_name: str, dimensions: int) -> str:
    """Return the name of the default table's index for (space, index_name)."""
    digest = sha256(f"{space}\x00{index_name}\x00{dimensions}".encode()).hexdigest()
    return f"pgvector_{digest[:16]}_hnsw"


def get_cast(dimensions: int) -> str:
    """Return the type that the default table's index casts vectors of this length to."""
    return f"halfvec({dimensions})" if dimensions <= MAX_HALFVEC_DIMENSIONS else f"bit({dimensions})"


def get_declared_ann_index(model: Any) -> Any:
    """Return the HnswIndex or IvfflatIndex of a custom table's Meta, or None."""
    for index in model._meta.indexes:
        if isinstance(index, HnswIndex | IvfflatIndex) and "vector" in index.fields:
            return index
    return None


def _remember(answers: dict[tuple[str, ...], tuple[float, Any]], key: tuple[str, ...], found: Any) -> None:
    if len(answers) >= MAX_KNOWN:
        answers.clear()  # seldom, and they would not live long anyway
    answers[key] = (time.monotonic() + TTL, found)


def _look_up(model: Any, space: str, index_name: str, dimensions: int | None) -> AnnIndex | None:
    declared = get_declared_ann_index(model)
    if declared is not None:
        rows, has_statistics = _read_catalog(model, declared.name)
        mode = "hnsw" if isinstance(declared, HnswIndex) else "ivfflat"
        lists = getattr(declared, "lists", None) or 100  # the server's default
        is_shared = _is_shared(model, space, index_name)
        return AnnIndex(declared.name, mode, "", lists, is_shared, rows or -1, has_statistics)
    if dimensions is None:
        return None
    name = get_ann_index_name(space, index_name, dimensions)
    rows, has_statistics = _read_catalog(model, name)
    if rows is None:
        return None
    mode = "hnsw" if dimensions <= MAX_HALFVEC_DIMENSIONS else "binary"
    return AnnIndex(name, mode, get_cast(dimensions), rows=rows, has_statistics=has_statistics)


def _read_catalog(model: Any, name: str) -> tuple[int | None, bool]:
    """Return the rows of a valid index of the bound schema, else None, and whether metadata was analysed."""
    quote = connection.ops.quote_name
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.reltuples::bigint FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
            "WHERE i.indisvalid AND i.indexrelid = to_regclass(%s)",
            [f"{quote(connection.schema_name)}.{quote(name)}"],
        )
        found = cursor.fetchone()
        if found is None:  # as for most tenants, which are small: pg_stats takes far longer
            return None, False
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_stats WHERE schemaname = %s AND tablename = %s "
            "AND attname = 'metadata')",
            [connection.schema_name, model._meta.db_table],
        )
        return found[0], cursor.fetchone()[0]


def _is_shared(model: Any, space: str, index_name: str) -> bool:
    """Whether rows of another (space, index_name) exist: the key's first and last entry tell."""
    rows = model.objects.values_list("space", "index_name")
    ends = [rows.order_by("space", "index_name").first(), rows.order_by("-space", "-index_name").first()]
    return any(end not in (None, (space, index_name)) for end in ends)
