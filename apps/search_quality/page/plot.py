"""The plot of a measure over the runs of an index: places in percent, so that it fits every width."""

from collections.abc import Sequence
from dataclasses import dataclass

from apps.search.searching.hybrid import MODES
from apps.search_quality.models import EvaluationRun

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


def make_plot(runs: Sequence[EvaluationRun], measure: str) -> Plot:
    """Return the plot of "recall", "mrr" or "ndcg" of runs, which come with the oldest first.

    One place on the horizontal axis for each run; a mode that a run did not measure is left out there.
    """
    shares = [number / (len(runs) - 1) if len(runs) > 1 else 0.5 for number in range(len(runs))]
    places = [f"{LEFT + share * (RIGHT - LEFT):.2f}%" for share in shares]
    lines = []
    for mode in MODES:
        marks = [
            Mark(place, _height(value), value, run)
            for place, run in zip(places, runs, strict=True)
            for value in [getattr(each, measure) for each in run.evaluations.all() if each.mode == mode]
        ]
        if marks:
            lines.append(Line(mode, marks))
    return Plot(lines, [(f"{tick:.2f}", _height(tick)) for tick in TICKS], list(runs))


def _height(value: float) -> str:
    return f"{BOTTOM - value * (BOTTOM - TOP):.2f}%"
