"""What an operator sees of the bound tenant's spaces and of the change from one to another."""

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from apps.search.indexes.registry import get_index_names
from apps.search.indexing.batches import count_objects
from apps.search.models import IndexRun, SetAside
from apps.search.spaces.embedding_cache import CacheReport, report_cache
from apps.search.spaces.live_spaces import get_searched_space
from apps.search.spaces.space import list_spaces
from apps.search.storage.pgvector.ann.status import list_statuses, list_tables
from apps.search_switching.gaps import Gaps, find_gaps
from apps.search_switching.models import SpaceSwitch, get_live_switch

SET_ASIDE_SHOWN = 20
PAST_SHOWN = 5
COMPARING = timedelta(seconds=30)


@dataclass(frozen=True)
class SpaceRow:
    """A space: how many documents it holds, and whether it is the one that is searched."""

    alias: str
    documents: int
    is_searched: bool


@dataclass(frozen=True)
class IndexRow:
    """An index: of how many objects it is made, and the last run through it that belongs to no switch."""

    name: str
    objects: int
    run: IndexRun | None


@dataclass(frozen=True)
class Overview:
    """All of it. `switch` is the live one, with its runs and gaps; `past` are those before it."""

    searched: str
    spaces: list[SpaceRow]
    indexes: list[IndexRow]
    switch: SpaceSwitch | None
    runs: list[IndexRun]
    gaps: Gaps | None
    set_aside: list[SetAside]
    set_aside_count: int
    past: list[SpaceSwitch]
    cache: CacheReport

    @property
    def is_paused(self) -> bool:
        """Whether the filling was paused."""
        return any(run.state == IndexRun.State.PAUSED for run in self.runs)

    @property
    def is_at_work(self) -> bool:
        """Whether a worker fills a space, compares two, or brings an index up to date: worth another look."""
        of_indexes = [index.run for index in self.indexes if index.run]
        if any(run.state == IndexRun.State.RUNNING for run in [*self.runs, *of_indexes]):
            return True
        if self.switch is None or self.is_paused:
            return False
        return self.switch.state == SpaceSwitch.State.FILLING or self._is_comparing

    @property
    def _is_comparing(self) -> bool:
        """Soon after the filling; nobody may be there to compare."""
        ready_at = self.switch.ready_at if self.switch and self.switch.comparison is None else None
        return ready_at is not None and timezone.now() - ready_at < COMPARING


def look_over() -> Overview:
    """Return the bound tenant's spaces and switches. Raises NoTenantError."""
    searched, switch = get_searched_space(), get_live_switch()
    set_aside = SetAside.objects.order_by("-last_at")
    ended = SpaceSwitch.objects.exclude(state__in=SpaceSwitch.LIVE)
    return Overview(
        searched=searched,
        spaces=_list_spaces(searched),
        indexes=[_look_at(name) for name in get_index_names()],
        switch=switch,
        runs=list(switch.runs.order_by("pk")) if switch else [],
        gaps=find_gaps(switch) if switch else None,
        set_aside=list(set_aside[:SET_ASIDE_SHOWN]),
        set_aside_count=set_aside.count(),
        past=list(ended[:PAST_SHOWN]),
        cache=report_cache(),
    )


def _look_at(index_name: str) -> IndexRow:
    runs = IndexRun.objects.filter(index_name=index_name, switch_id=None)
    return IndexRow(index_name, count_objects(index_name), runs.first())


def _list_spaces(searched: str) -> list[SpaceRow]:
    """Those that can be used, and those that still hold documents."""
    counts = dict.fromkeys([*list_spaces(), searched], 0)
    for model in list_tables():
        for status in list_statuses(model):
            counts[status.space] = counts.get(status.space, 0) + status.rows
    return [SpaceRow(alias, count, alias == searched) for alias, count in counts.items()]
