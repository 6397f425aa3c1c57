"""The plot of a measure over the runs of an index: places in percent, so that it fits every width."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apps.search.searching.hybrid import MODES
from apps.search_quality.models import Evaluation, EvaluationRun

LEFT, RIGHT, TOP, BOTTOM = 9.0, 98.0, 8.0, 86.0  # the labels of the ticks stand to the left
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Mark:
    """A value at its place."""

    x: str
    y: str
    value: float
    run: EvaluationRun


@dataclass(frozen=True)
class Line:
    """The values of one mode, the oldest first, and the stretches between them."""

    mode: str
    marks: list[Mark]

    @property
    def stretches(self) -> list[tuple[Mark, Mark]]:
        """Each mark with the next one."""
        return list(zip(self.marks, self.marks[1:], strict=False))

    @property
    def latest(self) -> float:
        """The latest value."""
        return self.marks[-1].value


@dataclass(frozen=True)
class Plot:
    """What the template draws; `ticks` are labels with their heights."""

    lines: list[Line]
    ticks: list[tuple[str, str]]
    runs: list[EvaluationRun]

    left, right = f"{LEFT}%", f"{RIGHT}%"


def make_plot(runs: Sequence[EvaluationRun], measure: str = "ndcg") -> Plot:
    """Return the plot of "recall", "mrr" or "ndcg" of runs, which come with the oldest first.

    One place on the horizontal axis for each run; a mode that a run did not measure is left out there.
    """
    places = {run.pk: _place(number, len(runs)) for number, run in enumerate(runs)}
    lines = []
    for mode in MODES:
        found = [(run, each) for run in runs for each in run.evaluations.all() if each.mode == mode]
        if found:
            lines.append(Line(mode, [_mark(places[run.pk], run, each, measure) for run, each in found]))
    return Plot(lines, [(f"{tick:.2f}", _height(tick)) for tick in TICKS], list(runs))


def _place(number: int, count: int) -> str:
    share = number / (count - 1) if count > 1 else 0.5
    return f"{LEFT + share * (RIGHT - LEFT):.2f}%"


def _height(value: float) -> str:
    return f"{BOTTOM - value * (BOTTOM - TOP):.2f}%"


def _mark(x: str, run: EvaluationRun, evaluation: Evaluation, measure: str) -> Mark:
    value: Any = getattr(evaluation, measure)
    return Mark(x, _height(value), value, run)
