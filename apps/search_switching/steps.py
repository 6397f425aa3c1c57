"""The steps of a switch that an operator takes. Each is one transaction, in which no document is written.

start_switch --> filling --> ready <--> switched --> ended
                    |          |     roll_back
                    +----------+--> cancelled
"""

from collections.abc import Callable

from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from apps.search.embedders import validate_embedding_settings
from apps.search.indexes.registry import get_index_names
from apps.search.indexing.tasks import resume_run, start_run
from apps.search.models import IndexRun
from apps.search.spaces.live_spaces import changing_spaces, get_searched_space, set_searched_space
from apps.search.spaces.space import get_space
from apps.search_switching.advancing import advance_switch, cut_over, fill_origin
from apps.search_switching.dropping import enqueue_dropping
from apps.search_switching.handwritten import copy_loose_documents
from apps.search_switching.missing import find_gaps
from apps.search_switching.models import SpaceSwitch, SwitchError, get_live_switch
from tenants.audit import record

State = SpaceSwitch.State


def start_switch(target: str, *, is_automatic: bool = False, started_by: str = "") -> SpaceSwitch:
    """Begin to fill another space of the bound tenant; from now on, what is saved goes into both.

    Raises SwitchError when it is the tenant's space already, cannot be used, or another switch is live.
    """
    try:
        space = get_space(target)
        validate_embedding_settings(target)
        space.model  # noqa: B018 - raises where there is none
    except ImproperlyConfigured as error:
        raise SwitchError(str(error)) from error
    with changing_spaces():
        origin = get_searched_space(lock=True)
        if live := get_live_switch():
            raise SwitchError(
                f"The switch from {live.origin} to {live.target} is not over. End or cancel it first."
            )
        if origin == target:
            raise SwitchError(f"The tenant searches the space {target!r} already.")
        switch = SpaceSwitch.objects.create(
            origin=origin, target=target, is_automatic=is_automatic, started_by=started_by
        )
        for index_name in get_index_names():
            start_run(index_name, target, switch_id=switch.pk)
        advance_switch.enqueue(switch.pk)
        record("start switch", switch)
    return switch


def roll_back(switch: SpaceSwitch) -> None:
    """Let the tenant search the old space again; the target stays complete.

    Raises SwitchError where the old space lacks something; a worker fills it then.
    """
    with changing_spaces():
        switch.require(State.SWITCHED)
        if gaps := find_gaps(switch, is_way_back=True):
            fill_origin.enqueue(switch.origin, switch.target)
        else:
            set_searched_space(switch.origin)
            switch.change(state=State.READY, is_automatic=False, switched_at=None)
            copy_loose_documents.enqueue(switch.target, switch.origin)
    if gaps:  # out here, so that the task stays
        raise SwitchError(
            f"The space {switch.origin!r} is not complete: {gaps}. A worker fills it; try again in a moment."
        )


def end_switch(switch: SpaceSwitch) -> None:
    """Give up the old space, and with it the way back: a task deletes its documents. Raises SwitchError."""
    with changing_spaces():
        switch.require(State.SWITCHED)
        switch.change(state=State.ENDED, ended_at=timezone.now())
        enqueue_dropping(switch.origin)


def cancel_switch(switch: SpaceSwitch) -> None:
    """Give up the target: its documents are deleted by a task. Raises SwitchError after the cut-over."""
    with changing_spaces():
        switch.require(State.FILLING, State.READY)
        switch.change(state=State.CANCELLED, ended_at=timezone.now())
        unfinished = switch.runs.filter(state__in=[IndexRun.State.RUNNING, IndexRun.State.PAUSED])
        unfinished.update(state=IndexRun.State.CANCELLED, finished_at=timezone.now())
        enqueue_dropping(switch.target)


def pause_switch(switch: SpaceSwitch) -> None:
    """Stop filling the target after the present batch. Raises SwitchError unless it is being filled."""
    with changing_spaces():
        switch.require(State.FILLING)
        switch.runs.filter(state=IndexRun.State.RUNNING).update(state=IndexRun.State.PAUSED)
        record("pause switch", switch)


def resume_switch(switch: SpaceSwitch) -> None:
    """Go on filling the target, also where a worker was lost with its task. Raises SwitchError."""
    with changing_spaces():
        switch.require(State.FILLING)
        for run in switch.runs.filter(state__in=[IndexRun.State.RUNNING, IndexRun.State.PAUSED]):
            resume_run(run)
        advance_switch.enqueue(switch.pk)
        record("resume switch", switch)


STEPS: dict[str, Callable[[SpaceSwitch], None]] = {
    "pause": pause_switch,
    "resume": resume_switch,
    "cut-over": cut_over,
    "roll-back": roll_back,
    "end": end_switch,
    "cancel": cancel_switch,
}
