"""What is missing from the space that is to be searched, found by looking at both."""

from dataclasses import dataclass, fields
from typing import Any

from django.db.models import F, Func, Value

from apps.search.indexes.sources import parse_key
from apps.search.models import IndexRun, SetAside
from apps.search.spaces.space import get_space
from apps.search_switching.loose import find_missing_loose
from apps.search_switching.models import SpaceSwitch


@dataclass(frozen=True)
class Gaps:
    """How many there are of each kind; false when there are none."""

    unfinished_runs: int
    waiting_objects: int
    missing_objects: int
    missing_documents: int

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) for field in fields(self))

    def __str__(self) -> str:
        counts = ((getattr(self, field.name), field.name.replace("_", " ")) for field in fields(self))
        return ", ".join(f"{count:,} {name if count > 1 else name[:-1]}" for count, name in counts if count)


def find_gaps(switch: SpaceSwitch) -> Gaps:
    """Return what the target lacks; what is set aside for good is no gap, but shown beside it."""
    waiting = SetAside.objects.filter(space=switch.target, is_lasting=False)
    return Gaps(
        unfinished_runs=switch.runs.exclude(state=IndexRun.State.DONE).count(),
        waiting_objects=waiting.count(),
        missing_objects=len(find_missing_objects(switch.source, switch.target)),
        missing_documents=find_missing_loose(switch.source, switch.target).count(),
    )


def find_missing_objects(source: str, target: str) -> list[tuple[str, str, str]]:
    """Return what has documents in a space and none in another, but for what is set aside.

    Each as the index's name, the label of its source and its key.
    """
    aside = SetAside.objects.filter(space=target, is_lasting=True)
    known = set(aside.values_list("model_label", "object_pk"))
    missing = _prefixes(source).difference(_prefixes(target))
    found = [(index_name, parse_key(f"{prefix}:0")) for index_name, prefix in missing]
    wanted = [(index_name, of) for index_name, of in found if of and of not in known]
    return sorted((index_name, *of) for index_name, of in wanted)


def _prefixes(space: str) -> Any:
    """The keys of all documents without the number of the chunk, by index."""
    rows: Any = get_space(space).model.objects.filter(space=space).order_by()
    prefix = Func(F("document_key"), Value(":[0-9]+$"), Value(""), function="REGEXP_REPLACE")
    return rows.annotate(prefix=prefix).values_list("index_name", "prefix").distinct()
