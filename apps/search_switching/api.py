"""/api/space-switch: the space that the tenant searches, and the switch to another one."""

from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from django.http import Http404, HttpRequest
from ninja import Field, Router, Schema, Status

from apps.search.searching.refusals import ErrorsOut, refuse, require
from apps.search.spaces.live_spaces import get_searched_space
from apps.search_switching.estimating import estimate_switch
from apps.search_switching.models import SpaceSwitch, SwitchError, get_live_switch
from apps.search_switching.steps import STEPS, start_switch

router = Router(tags=["spaces"])

type Step = Literal["pause", "resume", "cut-over", "roll-back", "end", "cancel"]


class RunOut(Schema):
    """How far the target is filled for one index."""

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
    """The switch to begin."""

    target: str = Field(description="The alias of a space; GET /api/spaces lists them.")
    is_automatic: bool = Field(False, description="Search it as soon as it is complete.")


class EstimateOut(Schema):
    """What it would take to fill a space; `fault` says why that is unknown."""

    objects: int
    documents: int
    tokens: int
    seconds: float | None
    cost: Decimal | None
    fault: str


REFUSALS = {401: ErrorsOut, 403: ErrorsOut, 409: ErrorsOut}


@router.get("/space-switch", response={200: StateOut} | REFUSALS)
def show_switch(request: HttpRequest) -> Any:
    """Show the space that is searched, and how far a switch has come."""
    require(request, "search_switching.view_spaceswitch")
    return _describe()


@router.get("/space-switch/estimate", response={200: EstimateOut} | REFUSALS)
def estimate(request: HttpRequest, target: str) -> Any:
    """Estimate what a switch to a space would take; embeds a few stored texts in it."""
    require(request, "search_switching.add_spaceswitch")
    return asdict(estimate_switch(target))


@router.post("/space-switch", response={202: StateOut} | REFUSALS)
def begin_switch(request: HttpRequest, switch: SwitchIn) -> Any:
    """Begin to fill another space, which a worker does."""
    require(request, "search_switching.add_spaceswitch")
    by = request.user.get_username()
    try:
        start_switch(switch.target, is_automatic=switch.is_automatic, started_by=by)
    except SwitchError as error:
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
    except SwitchError as error:
        return refuse(409, step=str(error))
    return _describe()


def _describe() -> dict[str, Any]:
    switch = get_live_switch()
    return {"searched": get_searched_space(), "switch": switch and _describe_switch(switch)}


def _describe_switch(switch: SpaceSwitch) -> dict[str, Any]:
    fields = ("target", "state", "is_automatic", "reason", "started_at", "comparison")
    shown = {name: getattr(switch, name) for name in fields}
    return shown | {"source": switch.origin, "runs": list(switch.runs.order_by("pk"))}
