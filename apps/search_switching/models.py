"""The change of a tenant from one space to another."""

from typing import Any

from django.db import models
from django.db.models import Q

from apps.search.models import IndexRun
from tenants.audit import record


class SwitchError(RuntimeError):
    """A step is not possible; the message says why, and what is."""


class SpaceSwitch(models.Model):
    """The change of the bound tenant from one space to another; at most one is live at a time.

    While it is live, what is saved goes into both spaces. Up to the cut-over the tenant searches `origin`,
    from then on `target`.
    """

    class State(models.TextChoices):
        """From the first document in the target to the last in the origin."""

        FILLING = "filling"  # everything is embedded into the target
        READY = "ready"  # the target is complete and indexed
        SWITCHED = "switched"  # the target is searched; the origin is kept up to date for the way back
        ENDED = "ended"  # the origin is given up
        CANCELLED = "cancelled"  # the target is given up

    LIVE = (State.FILLING, State.READY, State.SWITCHED)

    origin = models.CharField(max_length=50, db_column="source")
    target = models.CharField(max_length=50)
    state = models.CharField(max_length=20, choices=State, default=State.FILLING)
    is_automatic = models.BooleanField(default=False, help_text="Cut over as soon as the target is ready.")
    reason = models.TextField(blank=True, help_text="Why it is not going on.")
    comparison = models.JSONField(null=True, help_text="How alike both spaces answer.")
    started_by = models.CharField(max_length=254, blank=True)
    started_at = models.DateTimeField(auto_now_add=True)
    ready_at = models.DateTimeField(null=True)
    switched_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "search_spaceswitch"  # the search app made it, before switching was an app of its own
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                models.Value(1),
                name="search_one_live_switch",
                # Not `state__in`: PostgreSQL writes that otherwise when it reads its own text, and no
                # template of a tenant's schema could be made.
                condition=Q(state="filling") | Q(state="ready") | Q(state="switched"),
            )
        ]

    def __str__(self) -> str:
        return f"{self.origin} to {self.target}: {self.state}"

    @property
    def runs(self) -> "models.QuerySet[IndexRun]":
        """The runs that fill the target, one for each index."""
        return IndexRun.objects.filter(switch_id=self.pk)

    def require(self, *states: str) -> None:
        """Read the row again, within `changing_spaces`. Raises SwitchError in any other state."""
        self.refresh_from_db()
        if self.state not in states:
            allowed = " or ".join(states)
            now = f"The switch from {self.origin} to {self.target} is {self.state}"
            raise SwitchError(f"{now}; for that, it must be {allowed}.")

    def change(self, **values: Any) -> None:
        """Write some fields."""
        for name, value in values.items():
            setattr(self, name, value)
        self.save(update_fields=[*values])
        if "state" in values:
            record("change switch", self)


def get_live_switch() -> SpaceSwitch | None:
    """Return the bound tenant's live switch, if there is one."""
    return SpaceSwitch.objects.filter(state__in=SpaceSwitch.LIVE).first()


def list_live_spaces() -> dict[str, str]:
    """Return the spaces of the bound tenant's live switch, each with the reason why it is needed."""
    switch = get_live_switch()
    if switch is None:
        return {}
    return dict.fromkeys(
        (switch.origin, switch.target), f"The switch {switch} needs it; end or cancel that first."
    )
