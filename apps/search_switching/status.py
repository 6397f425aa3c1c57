"""The state of the bound tenant's spaces, indexes and switches, for the operators' page and the command."""

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from apps.search.embedders import list_aliases
from apps.search.indexes.registry import get_index_names
from apps.search.indexing.batches import count_objects
from apps.search.models import IndexRun, SetAside
from apps.search.spaces.embedding_cache import CacheReport, report_cache
from apps.search.spaces.live_spaces import get_searched_space
from apps.search.storage.pgvector.ann.status import list_statuses, list_tables
from apps.search_switching.missing import Gaps, find_gaps
from apps.search_switching.models import SpaceSwitch, get_live_switch

SET_ASIDE_SHOWN = 20
PAST_SHOWN = 5
COMPARING = timedelta(seconds=30)  # for which a ready switch may be compared still


@dataclass(frozen=True)
class SpaceRow:
    """A space, how many documents it holds, and whether the tenant searches it."""

    alias: str
    documents: int
    is_searched: bool


@dataclass(frozen=True)
class IndexRow:
    """An index, how many objects it is made of, and the last run through it that is not part of a switch."""

    name: str
    objects: int
    run: IndexRun | None


@dataclass(frozen=True)
class Status:
    """`switch` is the live one, with its runs and gaps; `past` are those before it."""

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
        """Whether an operator has paused the filling."""
        return any(run.state == IndexRun.State.PAUSED for run in self.runs)

    @property
    def is_at_work(self) -> bool:
        """Whether a worker is busy: it fills a space, compares two, or brings an index up to date."""
        of_indexes = [index.run for index in self.indexes if index.run]
        if any(run.state == IndexRun.State.RUNNING for run in [*self.runs, *of_indexes]):
            return True
        if self.switch is None or self.is_paused:
            return False
        if self.switch.state == SpaceSwitch.State.FILLING:
            return True
        # Soon after the filling. Perhaps no app compares.
        ready_at = self.switch.ready_at if self.switch.comparison is None else None
        return ready_at is not None and timezone.now() - ready_at < COMPARING


def get_status() -> Status:
    """Return how things stand. Raises NoTenantError."""
    searched, switch = get_searched_space(), get_live_switch()
    documents = dict.fromkeys([*list_aliases(), searched], 0)  # besides, spaces that are gone may hold some
    for model in list_tables():
        for status in list_statuses(model):
            documents[status.space] = documents.get(status.space, 0) + status.rows
    runs = IndexRun.objects.filter(switch_id=None)
    set_aside = SetAside.objects.order_by("-last_at")
    return Status(
        searched=searched,
        spaces=[SpaceRow(alias, count, alias == searched) for alias, count in documents.items()],
        indexes=[
            IndexRow(name, count_objects(name), runs.filter(index_name=name).first())
            for name in get_index_names()
        ],
        switch=switch,
        runs=list(switch.runs.order_by("pk")) if switch else [],
        gaps=find_gaps(switch) if switch else None,
        set_aside=list(set_aside[:SET_ASIDE_SHOWN]),
        set_aside_count=set_aside.count(),
        past=list(SpaceSwitch.objects.exclude(state__in=SpaceSwitch.LIVE)[:PAST_SHOWN]),
        cache=report_cache(),
    )
