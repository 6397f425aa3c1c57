"""/api/space-switch: which space the tenant is searched by, and the way to another one."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from django.http import Http404, HttpRequest
from ninja import Field, Router, Schema, Status

from apps.search.searching.refusals import ErrorsOut, refuse, require
from apps.search.spaces.live_spaces import get_searched_space
from apps.search_switching import steps
from apps.search_switching.estimating import estimate_switch
from apps.search_switching.models import SpaceSwitch, get_live_switch

router = Router(tags=["spaces"])

STEPS: dict[str, Callable[[SpaceSwitch], None]] = {
    "pause": steps.pause_switch,
    "resume": steps.resume_switch,
    "cut-over": steps.cut_over,
    "roll-back": steps.roll_back,
    "end": steps.end_switch,
    "cancel": steps.cancel_switch,
}
type Step = Literal["pause", "resume", "cut-over", "roll-back", "end", "cancel"]


class RunOut(Schema):
    """How far an index is filled."""

    index_name: str
    state: str
    percent: int
    objects_done: int
    total: int
    reason: str


class SwitchOut(Schema):
    """A switch and its runs."""

    source: str
    target: str
    state: str
    is_automatic: bool
    reason: str
    started_at: datetime
    comparison: dict[str, Any] | None
    runs: list[RunOut]


class StateOut(Schema):
    """The space that is searched now, and the switch that is under way, null when there is none."""

    searched: str
    switch: SwitchOut | None


class SwitchIn(Schema):
    """Where to."""

    target: str = Field(description="The alias of a space; GET /api/spaces lists them.")
    is_automatic: bool = Field(False, description="Search it as soon as it is complete.")


class EstimateOut(Schema):
    """What filling a space would take; `fault` says why nobody knows."""

    objects: int
    documents: int
    tokens: int
    seconds: float | None
    cost: Decimal | None
    fault: str


REFUSALS = {401: ErrorsOut, 403: ErrorsOut, 409: ErrorsOut}


@router.get("/space-switch", response={200: StateOut} | REFUSALS)
def show_switch(request: HttpRequest) -> Any:
    """Show which space is searched and how far a switch is."""
    require(request, "search_switching.view_spaceswitch")
    return _describe()


@router.get("/space-switch/estimate", response={200: EstimateOut} | REFUSALS)
def estimate(request: HttpRequest, target: str) -> Any:
    """Tell what a switch to a space would take; a few stored texts are embedded for it."""
    require(request, "search_switching.add_spaceswitch")
    return asdict(estimate_switch(target))


@router.post("/space-switch", response={202: StateOut} | REFUSALS)
def begin_switch(request: HttpRequest, switch: SwitchIn) -> Any:
    """Begin to fill another space; a worker does it."""
    require(request, "search_switching.add_spaceswitch")
    by = request.user.get_username()
    try:
        steps.start_switch(switch.target, is_automatic=switch.is_automatic, started_by=by)
    except steps.SwitchError as error:
        return refuse(409, target=str(error))
    return Status(202, _describe())


@router.post("/space-switch/{step}", response={200: StateOut, 404: ErrorsOut} | REFUSALS)
def take_step(request: HttpRequest, step: Step) -> Any:
    """Take a step of the switch that is under way."""
    require(request, "search_switching.change_spaceswitch")
    switch = get_live_switch()
    if switch is None:
        raise Http404("No switch is under way.")
    try:
        STEPS[step](switch)
    except steps.SwitchError as error:
        return refuse(409, step=str(error))
    return _describe()


def _describe() -> dict[str, Any]:
    switch = get_live_switch()
    return {"searched": get_searched_space(), "switch": switch and _describe_switch(switch)}


def _describe_switch(switch: SpaceSwitch) -> dict[str, Any]:
    fields = ("source", "target", "state", "is_automatic", "reason", "started_at", "comparison")
    return {name: getattr(switch, name) for name in fields} | {"runs": list(switch.runs.order_by("pk"))}
