"""What follows by itself once a switch's runs are done."""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.tasks import task
from django.utils import timezone

from apps.search.embedders import EmbeddingUnavailableError
from apps.search.indexes.sources import get_sources
from apps.search.indexing.batches import Batch
from apps.search.indexing.runs import run_finished
from apps.search.indexing.set_asides import index_patiently
from apps.search.models import IndexRun
from apps.search.storage.pgvector.ann.report import carry_out, report_ann_indexes
from apps.search_switching.comparing import ask_for_comparison
from apps.search_switching.cut_over import SwitchError, cut_over
from apps.search_switching.gaps import find_gaps, find_missing_objects
from apps.search_switching.loose import copy_loose
from apps.search_switching.models import SpaceSwitch

WAIT = 3  # seconds until a switch that has gaps is looked at again


def connect() -> None:
    """Listen for runs that are done."""
    run_finished.connect(_advance, dispatch_uid="search:switching")


@task
def advance_switch(switch_pk: int) -> str:
    """Fill the gaps that the runs left, build the vector indexes, compare; return the switch's state.

    Runs again later while something is missing, and may run twice.
    """
    switch = _due().filter(pk=switch_pk).first()
    if switch is None or switch.runs.exclude(state=IndexRun.State.DONE).exists():
        return ""
    if reason := _complete(switch):
        SpaceSwitch.objects.filter(pk=switch.pk).update(reason=reason)
        advance_later(switch)
        return switch.state
    return _make_ready(switch)


def advance_later(switch: SpaceSwitch) -> None:
    """Write the task that looks at a switch again, some time from now."""
    advance_switch.using(run_after=timezone.now() + timedelta(seconds=WAIT)).enqueue(switch.pk)


def _advance(run: IndexRun, **kwargs: Any) -> None:
    if run.switch_id is not None:
        advance_switch.enqueue(run.switch_id)


def _complete(switch: SpaceSwitch) -> str:
    """Fill the gaps and build the indexes; return why the target is not complete yet, "" when it is."""
    try:
        for index_name, label, key in find_missing_objects(switch.source, switch.target):
            for source in get_sources(index_name):
                if source.label == label:
                    index_patiently(Batch(index_name, source, source.find([key])), switch.target)
        copy_loose(switch.source, switch.target)
    except EmbeddingUnavailableError as error:
        return str(error)
    faults = [fault for _, fault in carry_out(_list_due(switch.target)) if fault]
    return "\n".join(faults) or str(find_gaps(switch))


def _list_due(space: str) -> list[Any]:
    return [status for status in report_ann_indexes() if status.space == space]


def _due() -> Any:
    filling, ready = Q(state=SpaceSwitch.State.FILLING), Q(state=SpaceSwitch.State.READY)
    return SpaceSwitch.objects.filter(filling | (ready & Q(is_automatic=True)))


def _make_ready(switch: SpaceSwitch) -> str:
    was_filling = switch.state == SpaceSwitch.State.FILLING
    ready = {"state": SpaceSwitch.State.READY, "ready_at": timezone.now(), "reason": ""}
    with transaction.atomic():
        if _due().filter(pk=switch.pk).update(**ready) and was_filling:
            ask_for_comparison(switch)
    switch.refresh_from_db()
    if switch.is_automatic and switch.state == SpaceSwitch.State.READY:
        _cut_over_automatically(switch)
    return switch.state


def _cut_over_automatically(switch: SpaceSwitch) -> None:
    try:
        cut_over(switch)
    except SwitchError as error:
        SpaceSwitch.objects.filter(pk=switch.pk).update(reason=str(error))
        advance_later(switch)
