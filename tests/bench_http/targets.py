"""What the path around the statement promises, and whether a run kept it."""

from collections.abc import Mapping
from statistics import median, quantiles

from tests.bench.targets import Verdict
from tests.bench_http.clients import Taken
from tests.bench_http.processes import Memory

PATH = 1.25  # the API's hybrid search by one client, times what its parts take
HALVES = 1.3  # hybrid search without the embedding, times its slower half
RATE = 2.0  # requests/s of 16 clients, times those of the other build
SHARE = 0.5  # a worker's memory, of the other build's

type Cell = tuple[str, int]  # a page, and how many clients ask for it
type Cells = Mapping[Cell, Taken]
type Figures = tuple[Cells, list[Memory]]

HYBRID, EMPTY = "API hybrid", "empty page"


def judge(cells: Cells, parts: Mapping[str, float]) -> list[Verdict]:
    """Compare what one build did with the goals that need no other build."""
    verdicts = [_make_at_most("errors", sum(taken.errors for taken in cells.values()), 0, "")]
    hybrid, empty = (cells.get((page, 1), Taken()).times for page in (HYBRID, EMPTY))
    if hybrid and empty:
        allowed = sum(parts[name] for name in ("embedding", "half by vectors", "half by words"))
        ratio = median(hybrid) / (allowed + median(empty))
        what = "its parts and an empty page"
        verdicts.append(_make_at_most(f"{HYBRID}, 1 client, p50", ratio, PATH, f"x {what}"))
    slower = max(parts["half by vectors"], parts["half by words"])
    ratio = (parts["hybrid"] - parts["embedding"]) / slower
    verdicts.append(
        _make_at_most("hybrid without its embedding, in process", ratio, HALVES, "x its slower half")
    )
    return verdicts


def compare(ours: Figures, others: Figures, clients: int) -> list[Verdict]:
    """Compare two builds of one run: answers in a second to so many clients, and the memory of a worker."""
    verdicts, (cells, memory), (other, other_memory) = [], ours, others
    for cell in cells:
        if cell[1] == clients and cell in other:
            ratio = cells[cell].rate / other[cell].rate
            is_met = ratio >= RATE
            name = f"{cell[0]}, {clients} clients, requests/s"
            verdicts.append(Verdict(name, f"{ratio:.2f}x the other build", f">= {RATE}x", is_met))
    if memory and other_memory:
        ratio = median(each.share for each in memory) / median(each.share for each in other_memory)
        verdicts.append(_make_at_most("memory of a worker (PSS)", ratio, SHARE, "x the other build"))
    return verdicts


def find_percentile(times: list[float], percent: int) -> float:
    """Return the percentile of some times; NaN where there are fewer than two."""
    return quantiles(times, n=100, method="inclusive")[percent - 1] if len(times) > 1 else float("nan")


def _make_at_most(name: str, value: float, most: float, of: str) -> Verdict:
    return Verdict(name, f"{value:.2f}{of}", f"<= {most}{of and 'x'}", value <= most)
