"""manage.py switch_space"""

from time import sleep
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.search.indexing.runs import RunError
from apps.search.spaces.space import get_space
from apps.search_switching.estimating import estimate_switch
from apps.search_switching.models import SpaceSwitch, SwitchError, get_live_switch
from apps.search_switching.status import get_status
from apps.search_switching.steps import STEPS, start_switch
from tenants.locks import Lock, count_held
from tenants.management.progress import Bar
from tenants.management.tenants import add_schema_arguments, each_tenant

LOOK = 1  # seconds between two looks at a switch


class Command(BaseCommand):
    """Take a tenant's search from one space to another, without downtime."""

    help = (
        "start fills another space beside the present one (a worker does it), cut-over searches it, "
        "roll-back goes back, end deletes the old documents, cancel the new ones."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the step, the tenant and what a start needs."""
        parser.add_argument("step", choices=["estimate", "start", "status", "watch", *STEPS])
        add_schema_arguments(parser, allow_all=False)
        parser.add_argument("--to", help="the space to switch to (start, estimate)")
        parser.add_argument(
            "--automatic", action="store_true", help="cut over as soon as it is ready (start)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Do the step, then say how things stand."""
        step, target = options["step"], options["to"]
        if step in ("estimate", "start") and not target:
            raise CommandError(f"{step} needs --to, the alias of a space.")
        for _tenant in each_tenant(options):
            try:
                if target:
                    get_space(target)
            except ImproperlyConfigured as error:
                raise CommandError(f"--to: {error}") from error
            try:
                self._do(step, target, options["automatic"])
            except (SwitchError, RunError) as error:
                raise CommandError(str(error)) from error

    def _do(self, step: str, target: str, is_automatic: bool) -> None:
        if step == "estimate":
            return self._estimate(target)
        if step == "start":
            start_switch(target, is_automatic=is_automatic, started_by="manage.py")
        elif step in STEPS:
            STEPS[step](_get_live())
        elif step == "watch":
            _watch(_get_live())
        return self._show()

    def _estimate(self, target: str) -> None:
        estimate = estimate_switch(target)
        self.stdout.write(
            f"{estimate.objects:,} objects, {estimate.documents:,} documents, "
            f"about {estimate.tokens:,} tokens"
        )
        if estimate.seconds is not None:
            self.stdout.write(f"about {estimate.seconds:,.0f} s with one worker")
        if estimate.cost is not None:
            self.stdout.write(f"cost about {estimate.cost:,.2f}")
        if estimate.fault:
            raise CommandError(estimate.fault)

    def _show(self) -> None:
        status = get_status()
        for space in status.spaces:
            mark = "*" if space.is_searched else " "
            self.stdout.write(f"{mark} {space.alias}: {space.documents:,} documents")
        cache = status.cache
        known = "" if cache.hit_rate is None else f", {cache.hit_rate:.0%} of the last texts were known"
        self.stdout.write(f"cache: {cache.rows:,} of at most {cache.limit:,} vectors{known}")
        if status.switch is None:
            return self.stdout.write("No switch is under way.")
        self.stdout.write(f"{status.switch}{_because(status.switch)}")
        if status.is_at_work and not count_held(Lock.WORKER):
            self.stdout.write("  No worker is running. Start one: manage.py db_worker")
        for run in status.runs:
            self.stdout.write(f"  {run.index_name}: {run.state}, {run.percent} %{_because(run)}")
        if status.gaps:
            self.stdout.write(f"  missing: {status.gaps}")
        for lost in status.set_aside:
            self.stdout.write(f"  set aside: {lost}: {lost.reason}")
        return None


def _get_live() -> SpaceSwitch:
    if switch := get_live_switch():
        return switch
    raise CommandError("No switch is under way. Begin one with: switch_space start --to ALIAS.")


def _watch(switch: SpaceSwitch) -> None:
    """Show a bar until the target is filled; the worker goes on when this is stopped."""
    told: set[str] = set()
    total = sum(run.total for run in switch.runs.all())
    with Bar(total=total, desc=f"{switch.origin} to {switch.target}", unit=" objects") as bar:
        while switch.state == SpaceSwitch.State.FILLING:
            runs = list(switch.runs.all())
            bar.update(sum(run.objects_done for run in runs) - bar.n)
            reasons = {switch.reason, *(run.reason for run in runs)} - {""}
            if not count_held(Lock.WORKER):
                reasons.add("No worker is running. Start one: manage.py db_worker")
            for reason in sorted(reasons - told):
                bar.write(reason)
            told = reasons
            sleep(LOOK)
            switch.refresh_from_db()


def _because(what: Any) -> str:
    return f" ({what.reason})" if what.reason else ""
