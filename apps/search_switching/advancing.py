"""What happens by itself once a switch's runs are done, from the last gap to an automatic cut-over."""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.tasks import task
from django.utils import timezone

from apps.search.embedders import EmbeddingUnavailableError
from apps.search.indexes.registry import get_index_names
from apps.search.indexes.sources import get_sources
from apps.search.indexing.batches import Batch
from apps.search.indexing.runs import run_finished
from apps.search.indexing.set_asides import index_patiently
from apps.search.indexing.tasks import explain_waiting
from apps.search.models import IndexRun, SetAside
from apps.search.spaces.live_spaces import changing_spaces, set_searched_space
from apps.search.spaces.space import UnknownSpaceError
from apps.search.storage.pgvector.ann.report import carry_out, report_ann_indexes
from apps.search_switching.comparing import ask_for_comparison
from apps.search_switching.handwritten import copy_documents
from apps.search_switching.missing import find_gaps, find_missing_objects
from apps.search_switching.models import SpaceSwitch, SwitchError

State = SpaceSwitch.State

WAIT = 3  # seconds until a switch is looked at again


def connect() -> None:
    """Listen for runs that are done."""
    run_finished.connect(_follow, dispatch_uid="search:switching")


def _follow(run: IndexRun, **kwargs: Any) -> None:
    if run.switch_id is not None:
        advance_switch.enqueue(run.switch_id)


@task
def advance_switch(switch_pk: int) -> str:
    """Fill the gaps that the runs left, build the ANN indexes, compare; return the switch's state.

    Comes again later while something is missing. Running twice is harmless.
    """
    due = Q(state=State.FILLING) | Q(state=State.READY, is_automatic=True)
    switches = SpaceSwitch.objects.filter(due, pk=switch_pk)
    switch = switches.first()
    if switch is None or switch.runs.exclude(state=IndexRun.State.DONE).exists():
        return ""
    try:
        _complete(switch)
        with transaction.atomic():
            is_ready = switches.update(state=State.READY, ready_at=timezone.now(), reason="")
            if is_ready and switch.state == State.FILLING:
                ask_for_comparison(switch)
        switch.refresh_from_db()
        if switch.is_automatic and switch.state == State.READY:
            cut_over(switch)
    except UnknownSpaceError as error:
        SpaceSwitch.objects.filter(pk=switch.pk).update(reason=explain_waiting(error))
        raise
    except SwitchError as error:
        SpaceSwitch.objects.filter(pk=switch.pk).update(reason=str(error))
        advance_switch.using(run_after=timezone.now() + timedelta(seconds=WAIT)).enqueue(switch.pk)
    return switch.state


@task
def fill_origin(origin: str, target: str) -> None:
    """Give the old space of a switch what only the new one has, for the way back."""
    _fill_gaps(target, origin)


def cut_over(switch: SpaceSwitch) -> None:
    """Let the tenant search the target from now on; the old space is kept up to date.

    Raises SwitchError unless the switch is ready and nothing is missing from the target.
    """
    with changing_spaces():
        switch.require(State.READY)
        if gaps := find_gaps(switch):
            raise SwitchError(f"The space {switch.target!r} is not complete: {gaps}. Try again in a moment.")
        set_searched_space(switch.target)
        switch.change(state=State.SWITCHED, switched_at=timezone.now())


def _complete(switch: SpaceSwitch) -> None:
    """Fill the gaps and build the ANN indexes. Raises SwitchError while the target is not complete."""
    try:
        _fill_gaps(switch.origin, switch.target)
    except EmbeddingUnavailableError as error:
        raise SwitchError(str(error)) from error
    due = [status for status in report_ann_indexes() if status.space == switch.target]
    faults = [fault for _, fault in carry_out(due) if fault]
    if reason := "\n".join(faults) or str(find_gaps(switch)):
        raise SwitchError(reason)


def _fill_gaps(full: str, filled: str) -> None:
    """Give one space what another one has. Raises EmbeddingUnavailableError."""
    missing = find_missing_objects(full, filled)
    waiting = SetAside.objects.filter(space=filled, is_lasting=False)
    labelled = set(waiting.values_list("model_label", "object_pk"))
    for index_name in get_index_names():
        keys = {(label, key) for name, label, key in missing if name == index_name} | labelled
        for source in get_sources(index_name):
            for item in source.find([key for label, key in sorted(keys) if label == source.label]):
                index_patiently(Batch(index_name, source, [item]), filled)
    copy_documents(full, filled)
