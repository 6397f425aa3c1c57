"""The shadow comparison of a switch: made when its target is ready, kept with it, shown to the operator.

Imported only where apps.search_switching is installed: if you delete that app's folder, delete this file.
"""

from dataclasses import asdict
from typing import Any

from django.tasks import task

from apps.search.embedders import EmbeddingError
from apps.search.indexes.registry import get_index_names
from apps.search_quality.comparing import Comparison, compare_spaces
from apps.search_switching.advancing import switch_ready
from apps.search_switching.models import SpaceSwitch

MODE = "hybrid"
SHOWN = 5  # of an index's queries, those that differ most


def connect() -> None:
    """Listen for switches that become ready."""
    switch_ready.connect(ask_for_comparison, dispatch_uid="quality:switch")


def ask_for_comparison(switch: SpaceSwitch, **kwargs: Any) -> None:
    """Write the task, in the transaction in which the switch becomes ready."""
    compare_switch.enqueue(switch.pk)


@task
def compare_switch(switch_pk: int) -> int:
    """Compare source and target of a switch in each index; return how many recent queries were asked.

    By words and meaning together: what is compared is what people would see. Only figures and recent
    queries are kept, no content.
    """
    switch = SpaceSwitch.objects.filter(pk=switch_pk, state__in=SpaceSwitch.LIVE).first()
    if switch is None:
        return 0
    try:
        made = [compare_spaces(name, switch.source, switch.target, mode=MODE) for name in get_index_names()]
    except EmbeddingError as error:
        SpaceSwitch.objects.filter(pk=switch.pk).update(comparison={"fault": str(error), "indexes": []})
        return 0
    comparison = {"fault": "", "indexes": [_summarise(each) for each in made]}
    SpaceSwitch.objects.filter(pk=switch.pk).update(comparison=comparison)
    return sum(each.queries for each in made)


def _summarise(comparison: Comparison) -> dict[str, Any]:
    return {
        "index_name": comparison.index_name,
        "queries": comparison.queries,
        "overlap": comparison.overlap and asdict(comparison.overlap),
        "verdict": comparison.verdict,
        "gain": comparison.gain and asdict(comparison.gain),
        "current_ndcg": comparison.current_golden and comparison.current_golden.ndcg,
        "candidate_ndcg": comparison.candidate_golden and comparison.candidate_golden.ndcg,
        "differences": [
            {"query": each.query, "overlap": each.overlap} for each in comparison.differences[:SHOWN]
        ],
    }
