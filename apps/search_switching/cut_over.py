"""The moment at which a tenant's searches go to another space."""

from typing import Any

from django.utils import timezone

from apps.search.spaces.live_spaces import changing_spaces, set_searched_space
from apps.search_switching.gaps import find_gaps
from apps.search_switching.models import SpaceSwitch

State = SpaceSwitch.State


class SwitchError(RuntimeError):
    """A step is not possible; the message says why and what is."""


def cut_over(switch: SpaceSwitch) -> None:
    """Let the tenant search the target from now on; the source is kept up to date.

    Raises SwitchError unless the switch is ready and nothing is missing from the target.
    """
    with changing_spaces():
        require(switch, State.READY)
        if gaps := find_gaps(switch):
            raise SwitchError(f"The space {switch.target!r} is not complete: {gaps}. Try again in a moment.")
        set_searched_space(switch.target)
        save(switch, state=State.SWITCHED, switched_at=timezone.now())


def require(switch: SpaceSwitch, *states: str) -> None:
    """Read the switch again, within `changing_spaces`. Raises SwitchError unless it is in one of these."""
    switch.refresh_from_db()
    if switch.state not in states:
        allowed = " or ".join(states)
        raise SwitchError(f"The switch {switch} would have to be {allowed} for that.")


def save(switch: SpaceSwitch, **values: Any) -> None:
    """Write some fields of a switch."""
    for name, value in values.items():
        setattr(switch, name, value)
    switch.save(update_fields=[*values])
