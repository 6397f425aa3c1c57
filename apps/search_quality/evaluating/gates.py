"""The gates that an evaluation must pass, for continuous integration."""

from collections.abc import Sequence
from dataclasses import dataclass

from apps.search_quality.evaluating.measures import estimate_difference
from apps.search_quality.evaluating.runs import list_runs
from apps.search_quality.models import Evaluation, EvaluationRun
from tenants.context import get_current_tenant

ROUNDING = 1e-9


@dataclass(frozen=True)
class Gates:
    """The least recall, MRR and nDCG that pass, and how far nDCG may fall since the last run; None: any."""

    min_recall: float | None = None
    min_mrr: float | None = None
    min_ndcg: float | None = None
    max_drop: float | None = None


def find_baseline(run: EvaluationRun) -> EvaluationRun | None:
    """Return the last baseline of the same index and k: in the same space, else in the tenant's own."""
    for space in (run.space, get_current_tenant().space):
        if found := list_runs(run.index_name, space).filter(k=run.k, is_baseline=True).first():
            return found
    return None


def find_failures(
    evaluations: Sequence[Evaluation], gates: Gates, baseline: EvaluationRun | None = None
) -> list[str]:
    """Return why the evaluations do not pass, a line for each gate and mode; empty when they do."""
    limits = {"recall": gates.min_recall, "mrr": gates.min_mrr, "ndcg": gates.min_ndcg}
    failures = []
    for evaluation in evaluations:
        for name, limit in limits.items():
            value = getattr(evaluation, name)
            if limit is not None and value < limit:
                failures.append(f"{evaluation.mode}: {name} is {value:.3f}, below --min-{name} {limit:g}")
        if baseline and gates.max_drop is not None:
            failures += _find_drop(evaluation, gates.max_drop, baseline)
    return failures


def _find_drop(evaluation: Evaluation, max_drop: float, baseline: EvaluationRun) -> list[str]:
    """Compare by the golden queries that both have: others may be harder although nothing is worse."""
    before = next((each for each in baseline.evaluations.all() if each.mode == evaluation.mode), None)
    gain = estimate_difference(evaluation.list_scores(), before.list_scores()) if before else None
    if gain is None or -gain.mean <= max_drop + ROUNDING:
        return []
    chance = "may be chance" if gain.is_noise else "more than chance"
    return [
        f"{evaluation.mode}: ndcg fell by {-gain.mean:.3f} ({chance}) "
        f"since {baseline.made_at:%Y-%m-%d %H:%M} in {baseline.space}, by more than --max-drop {max_drop:g}"
    ]
