"""How alike both spaces of a switch answer: asked when its target is ready, kept with it for the operator."""

from typing import Any

from django.tasks import task

from apps.search.spaces.comparing import comparison_wanted
from apps.search_switching.models import SpaceSwitch
from tenants.queue.turns import BULK


def ask_for_comparison(switch: SpaceSwitch) -> None:
    """Write the task, in the current transaction, where an app is installed that compares spaces."""
    if comparison_wanted.has_listeners():
        compare_switch.enqueue(switch.pk)


@task(priority=BULK)
def compare_switch(switch_pk: int) -> int:
    """Compare both spaces of a switch in each index; return how many recent queries were asked."""
    switch = SpaceSwitch.objects.filter(pk=switch_pk, state__in=SpaceSwitch.LIVE).first()
    if switch is None:
        return 0
    asked = 0
    comparison: Any
    for _, comparison in comparison_wanted.send(SpaceSwitch, current=switch.origin, candidate=switch.target):
        SpaceSwitch.objects.filter(pk=switch.pk).update(comparison=comparison)
        asked += sum(index["queries"] for index in comparison["indexes"])
    return asked
