"""What a switch's target still lacks, found by comparing both spaces."""

from dataclasses import asdict, dataclass
from typing import Any

from django.db.models import F, Func, Value

from apps.search.indexes.sources import parse_key
from apps.search.models import IndexRun, SetAside
from apps.search.spaces.space import get_space
from apps.search_switching.handwritten import find_missing_documents
from apps.search_switching.models import SpaceSwitch


@dataclass(frozen=True)
class Gaps:
    """How many there are of each kind; false when there are none."""

    unfinished_runs: int
    waiting_objects: int
    missing_objects: int
    missing_documents: int

    def __bool__(self) -> bool:
        return any(asdict(self).values())

    def __str__(self) -> str:
        counts = ((count, name.replace("_", " ")) for name, count in asdict(self).items())
        return ", ".join(f"{count:,} {name if count > 1 else name[:-1]}" for count, name in counts if count)


def find_gaps(switch: SpaceSwitch, *, is_way_back: bool = False) -> Gaps:
    """Count what the target lacks, or the origin for the way back.

    Objects that are set aside for good do not count.
    """
    full, filled = switch.origin, switch.target
    if is_way_back:
        full, filled = filled, full
    unfinished = IndexRun.objects.none() if is_way_back else switch.runs.exclude(state=IndexRun.State.DONE)
    return Gaps(
        unfinished_runs=unfinished.count(),
        waiting_objects=SetAside.objects.filter(space=filled, is_lasting=False).count(),
        missing_objects=len(find_missing_objects(full, filled)),
        missing_documents=find_missing_documents(full, filled).count(),
    )


def find_missing_objects(origin: str, target: str) -> list[tuple[str, str, str]]:
    """Return the objects that have documents in one space and none in another, but for those set aside there.

    Each as the name of the index, the label of its source and its key there.
    """
    aside = SetAside.objects.filter(space=target, is_lasting=True)
    known = set(aside.values_list("model_label", "object_pk"))
    missing = _list_prefixes(origin).difference(_list_prefixes(target))
    found = [(index_name, parse_key(f"{prefix}:0")) for index_name, prefix in missing]
    return sorted((index_name, *item) for index_name, item in found if item and item not in known)


def _list_prefixes(space: str) -> Any:
    """The keys of all documents without the number of the chunk, by index."""
    rows: Any = get_space(space).model.objects.filter(space=space).order_by()
    prefix = Func(F("document_key"), Value(":[0-9]+$"), Value(""), function="REGEXP_REPLACE")
    return rows.annotate(prefix=prefix).values_list("index_name", "prefix").distinct()
