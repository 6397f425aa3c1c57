"""The ANN index that serves a search, as the models declare it and the catalog shows it.

A custom table has the ANN index of its Meta. The default table's column has no fixed dimensions and cannot be
indexed as it is; but an expression that casts it can, for the rows of one index of one space:

    USING hnsw ((l2_normalize(vector)::halfvec(384)) halfvec_cosine_ops)
    WHERE space = 'default' AND index_name = 'articles'

halfvec halves the ANN index at the same recall and reaches 4,000 dimensions. Beyond, one bit a dimension is
indexed, and the whole vectors rank the candidates again (pgvector's manual, "Binary Quantization").
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any, Self

from django.db.models import Func, IntegerField
from django.dispatch import Signal
from pgvector.django import HnswIndex, IvfflatIndex

from tenants.context import connection
from tenants.memory import TenantMemory
from tenants.postgresql.estimates import ESTIMATE_ROWS

MAX_HALFVEC_DIMENSIONS = 4_000  # of an ANN index
# Ends of names: of what it leaves out, until it is built, and of what stands in its place while it rests.
COPIES, UNFINISHED, RESTING = "_copies", "_new", "_resting"
TTL = 15  # seconds for which the catalog's answer is believed
MAX_KNOWN = 10_000  # answers that a process keeps, of all tenants together


@dataclass(frozen=True)
class Effort:
    """How hard searches through an ANN index try, and the `recall` that was measured so.

    `target` is the recall that was aimed at, and `rows` is how many the index had.
    """

    ef_search: int
    recall: float
    target: float
    rows: int

    @classmethod
    def read(cls, about: Mapping[str, Any]) -> Self | None:
        """Return the effort noted down for an ANN index, or None."""
        try:
            return cls(**about["effort"])
        except (KeyError, TypeError):
            return None

    @property
    def is_met(self) -> bool:
        """Whether searches find what was aimed at."""
        return self.recall >= self.target

    def note(self) -> dict[str, Any]:
        """Return what `read` reads."""
        return {"effort": asdict(self)}


@dataclass(frozen=True)
class AnnIndex:
    """A usable ANN index: `mode` is "hnsw", "ivfflat" or "binary", `cast` the type its expression casts to.

    `lists` is the number of lists of an IVFFlat index. `is_shared` says that the table's one ANN index also
    holds other spaces or indexes, so that every search of it is a filtered one. `rows` is how many rows it
    has, as PostgreSQL remembers; `has_statistics` says whether PostgreSQL can estimate how many rows a filter
    on metadata leaves. `ef_search` is the effort that reaches the recall aimed at, None where that was not
    measured. `left_out` are the digests of the vectors that it leaves out (see left_out.py), and `is_unit`
    says that it scales vectors to length 1. `missed_recall` is what was measured where no effort reaches the
    recall aimed at. `matches` remembers how many rows conditions leave, about, as
    long as this answer is believed.
    """

    name: str
    mode: str
    cast: str = ""
    lists: int = 0
    is_shared: bool = False
    rows: int = -1
    has_statistics: bool = False
    ef_search: int | None = None
    left_out: tuple[str, ...] = ()
    is_unit: bool = True
    missed_recall: float | None = None
    matches: dict[str, int] = field(default_factory=dict, compare=False, repr=False)


# Sent by the table's model with the `name` of an ANN index that rests: a search would have used it.
ann_index_wanted = Signal()

_known: TenantMemory[AnnIndex | None] = TenantMemory(seconds=TTL, size=MAX_KNOWN, keeps_none=True)
_lengths: TenantMemory[int | None] = TenantMemory(seconds=TTL, size=MAX_KNOWN)


def find_ann_index(model: Any, space: str, index_name: str, dimensions: int | None) -> AnnIndex | None:
    """Return the ANN index that serves searches of (space, index_name) in the bound tenant, or None.

    Believes what it saw up to TTL seconds ago. Both mistakes that follow are harmless: a search that does
    not yet use a new ANN index, and one that still names a dropped one, are exact and therefore slower.
    """
    index = _find(model, space, index_name, dimensions)
    return None if index is None or index.mode == "resting" else index


def ask_for_ann_index(model: Any, space: str, index_name: str, dimensions: int | None) -> None:
    """Tell the receivers of `ann_index_wanted` if the ANN index that a search lacks only rests."""
    index = _find(model, space, index_name, dimensions)
    if index is not None and index.mode == "resting":
        ann_index_wanted.send_robust(model, name=index.name)  # the search goes on without it


def find_dimensions(model: Any, space: str, index_name: str, *, anew: bool = False) -> int | None:
    """Return the length of the vectors stored for (space, index_name), or None while there are none.

    Believes what it saw up to TTL seconds ago, unless it is to look anew.
    """
    key = (model._meta.db_table, space, index_name)

    def read() -> int | None:
        length = Func("vector", function="vector_dims", output_field=IntegerField())
        rows = model.objects.filter(space=space, index_name=index_name)
        return rows.values_list(length, flat=True).first()

    if anew:
        _lengths.forget(key)
    return _lengths.get(key, read)


def forget_ann_indexes() -> None:
    """Make this process look into the catalog and the tables again."""
    _known.clear()
    _lengths.clear()


def get_ann_index_name(space: str, index_name: str, dimensions: int) -> str:
    """Return the name of the default table's ANN index for (space, index_name)."""
    digest = sha256(f"{space}\x00{index_name}\x00{dimensions}".encode()).hexdigest()
    return f"pgvector_{digest[:16]}_hnsw"


def get_mode(dimensions: int) -> str:
    """Return the mode of the default table's ANN index for vectors of this length."""
    return "hnsw" if dimensions <= MAX_HALFVEC_DIMENSIONS else "binary"


def get_cast(dimensions: int) -> str:
    """Return the type that the default table's ANN index casts vectors of this length to."""
    return f"halfvec({dimensions})" if get_mode(dimensions) == "hnsw" else f"bit({dimensions})"


def list_declared(model: Any) -> list[HnswIndex | IvfflatIndex]:
    """Return the ANN indexes that a custom table declares in its Meta."""
    kinds = (HnswIndex, IvfflatIndex)
    return [each for each in model._meta.indexes if isinstance(each, kinds) and "vector" in each.fields]


def get_declared_ann_index(model: Any) -> HnswIndex | IvfflatIndex | None:
    """Return the first ANN index that a custom table declares, or None."""
    return next(iter(list_declared(model)), None)


def get_lists(declared: HnswIndex | IvfflatIndex) -> int:
    """Return an IVFFlat index's number of lists: the one declared, else the server's default."""
    return getattr(declared, "lists", None) or 100


def _find(model: Any, space: str, index_name: str, dimensions: int | None) -> AnnIndex | None:
    key = (model._meta.db_table, space, index_name, dimensions)
    return _known.get(key, lambda: _look_up(model, space, index_name, dimensions))


def _look_up(model: Any, space: str, index_name: str, dimensions: int | None) -> AnnIndex | None:
    if (declared := get_declared_ann_index(model)) is not None:
        rows, has_statistics, about, _ = _read_catalog(model, declared.name)
        mode = "hnsw" if isinstance(declared, HnswIndex) else "ivfflat"
        # Rows of another (space, index_name) exist where the key's first or last entry is one.
        keys = model.objects.values_list("space", "index_name")
        ends = [keys.order_by("space", "index_name").first(), keys.order_by("-space", "-index_name").first()]
        is_shared = any(end not in (None, (space, index_name)) for end in ends)
        lists, ef_search = get_lists(declared), _get_ef_search(about)
        missed = _get_missed_recall(about)
        return AnnIndex(
            declared.name,
            mode,
            "",
            lists,
            is_shared,
            rows or -1,
            has_statistics,
            ef_search,
            missed_recall=missed,
        )
    if dimensions is None:
        return None
    name = get_ann_index_name(space, index_name, dimensions)
    rows, has_statistics, about, is_resting = _read_catalog(model, name)
    if rows is None:
        return None
    if is_resting:
        return AnnIndex(name, "resting")
    return AnnIndex(
        name,
        get_mode(dimensions),
        get_cast(dimensions),
        rows=rows,
        has_statistics=has_statistics,
        ef_search=_get_ef_search(about),
        left_out=tuple(about.get("left_out", ())),
        is_unit=bool(about.get("is_unit")),
        missed_recall=_get_missed_recall(about),
    )


def _get_ef_search(about: dict[str, Any]) -> int | None:
    effort = Effort.read(about)
    return effort.ef_search if effort else None


def _get_missed_recall(about: dict[str, Any]) -> float | None:
    effort = Effort.read(about)
    return None if effort is None or effort.is_met else effort.recall


def parse_comment(comment: str | None) -> dict[str, Any]:
    """Return what the builder of an ANN index noted down; nothing where somebody else wrote the comment."""
    try:
        about = json.loads(comment or "{}")
    except ValueError:
        return {}
    return about if isinstance(about, dict) else {}


def _read_catalog(model: Any, name: str) -> tuple[int | None, bool, dict[str, Any], bool]:
    """Return an ANN index's rows, whether metadata was analysed, what its builder noted down, if it rests.

    No rows, None, where the bound schema has no valid ANN index of that name, and none that rests.
    """
    quote = connection.ops.quote_name
    resting = f"{quote(connection.schema_name)}.{quote(name + RESTING)}"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {ESTIMATE_ROWS}(indexrelid)::bigint, "  # noqa: S608 - a constant
            "obj_description(indexrelid, 'pg_class'), indexrelid = to_regclass(%s) AS rests FROM pg_index "
            "WHERE indisvalid AND indexrelid IN (to_regclass(%s), to_regclass(%s)) ORDER BY rests LIMIT 1",
            [resting, f"{quote(connection.schema_name)}.{quote(name)}", resting],
        )
        found = cursor.fetchone()
        if found is None:  # as for most tenants, which are small: pg_stats takes far longer
            return None, False, {}, False
        if found[2]:
            return 0, False, {}, True
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_stats WHERE schemaname = %s AND tablename = %s "
            "AND attname = 'metadata')",
            [connection.schema_name, model._meta.db_table],
        )
        return found[0], cursor.fetchone()[0], parse_comment(found[1]), False
