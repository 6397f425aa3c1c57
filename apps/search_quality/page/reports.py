"""What the page of search quality shows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.utils import timezone

from apps.search.embedders import list_aliases
from apps.search.searching.results import get_url
from apps.search.spaces.space import get_space
from apps.search_quality.evaluating.measures import estimate_difference
from apps.search_quality.evaluating.runs import STALE, find_latest
from apps.search_quality.golden.answers import load_answers
from apps.search_quality.models import Evaluation, EvaluationRun, GoldenAnswer, GoldenQuery
from tenants.context import get_current_tenant

MODE_NAMES = {"semantic": "meaning", "keyword": "words", "hybrid": "both"}  # as on the search page


@dataclass(frozen=True)
class SpaceReport:
    """A space of an index with its latest run, None while there is none.

    `under_way` is a later run that has no evaluations yet, or will have none.
    """

    space: str
    is_current: bool
    run: EvaluationRun | None
    under_way: EvaluationRun | None

    @property
    def evaluations(self) -> list[Evaluation]:
        """Those of the latest run, in the order of the modes."""
        return list(self.run.evaluations.all()) if self.run else []

    @property
    def fault(self) -> str:
        """Why the run that is under way will have no evaluations; "" while it may."""
        if self.under_way is None:
            return ""
        is_lost = self.under_way.made_at < timezone.now() - STALE
        return self.under_way.fault or ("It was never finished. Is a worker running?" if is_lost else "")

    @property
    def verdict(self) -> str:
        """Which mode is best, and whether that may be chance."""
        return judge_modes(self.evaluations)


@dataclass(frozen=True)
class NamedAnswer:
    """A golden answer as people know it; `is_gone` when its object no longer exists."""

    answer: GoldenAnswer
    title: str
    url: str
    is_gone: bool


@dataclass(frozen=True)
class GoldenRow:
    """A golden query, its answers, and by mode the rank that the first of them had in the latest run.

    A rank is a number, "none" for an answer that was not found, "new" for a query that is not evaluated yet.
    """

    golden: GoldenQuery
    answers: list[NamedAnswer]
    ranks: dict[str, int | str]


def list_spaces(index_name: str) -> list[str]:
    """Return the spaces in which an index has documents, and the tenant's own, which comes first."""
    own = get_current_tenant().space
    stored = (
        alias
        for alias in list_aliases()
        if get_space(alias).model.objects.filter(space=alias, index_name=index_name).exists()
    )
    return list(dict.fromkeys([own, *stored]))


def report_space(index_name: str, space: str) -> SpaceReport:
    """Return how good an index is in a space."""
    newest = EvaluationRun.objects.filter(index_name=index_name, space=space).first()
    unsuccessful = newest if newest and (newest.fault or not newest.finished_at) else None
    is_current = space == get_current_tenant().space
    return SpaceReport(space, is_current, find_latest(index_name, space), unsuccessful)


def judge_modes(evaluations: Sequence[Evaluation]) -> str:
    """Say which mode is best by nDCG and whether that may be chance; "" where there is only one."""
    if len(evaluations) < 2:
        return ""
    best, second = sorted(evaluations, key=lambda each: -each.ndcg)[:2]
    names = MODE_NAMES[best.mode], MODE_NAMES[second.mode]
    lead = estimate_difference(best.list_scores(), second.list_scores())
    if lead is None or lead.is_noise:
        return f"No mode is clearly best: the lead of {names[0]} over {names[1]} may be chance."
    return f"Search by {names[0]} is best; its lead over {names[1]} is more than chance."


def judge_spaces(current: Sequence[Evaluation], other: Sequence[Evaluation]) -> list[tuple[str, str]]:
    """Return, for each mode that both have, its name and whether the other space is better."""
    others = {evaluation.mode: evaluation.list_scores() for evaluation in other}
    judged = []
    for each in current:
        if each.mode in others:
            before, after = each.list_scores(), others[each.mode]
            gain = estimate_difference(after, before)
            if gain is None:
                verdict = "not comparable"
            elif before == after:
                verdict = "no difference"
            else:
                chance = "which may be chance" if gain.is_noise else "more than chance"
                verdict = f"{gain.mean:+.3f} nDCG, {chance}"
            judged.append((MODE_NAMES[each.mode], verdict))
    return judged


def report_golden(rows: Iterable[GoldenQuery], evaluations: Sequence[Evaluation]) -> list[GoldenRow]:
    """Return golden queries, with their answers prefetched, beside the outcomes of evaluations."""
    rows = list(rows)
    objects = dict(load_answers(answer.key for row in rows for answer in row.answers.all()))
    reported = []
    for row in rows:
        answers = []
        for answer in row.answers.all():
            obj = objects.get(answer.key)
            title = str(obj or answer.key)
            answers.append(NamedAnswer(answer, title, get_url(obj), is_gone=answer.key not in objects))
        outcomes = {MODE_NAMES[each.mode]: each.outcomes.get(str(row.pk)) for each in evaluations}
        ranks = {
            mode: "new" if found is None else found["rank"] or "none" for mode, found in outcomes.items()
        }
        reported.append(GoldenRow(row, answers, ranks))
    return reported
