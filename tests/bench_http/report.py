"""What a run found, for people."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median

from tests.bench_http.clients import Taken
from tests.bench_http.processes import Memory
from tests.bench_http.targets import Cell, compare, find_percentile, judge

HEADS = f"  {'requests/s':>10} {'p50 ms':>7} {'p99 ms':>7} {'work ms':>7} {'errors':>6}"


@dataclass
class Build:
    """One checkout that is served: where it listens, and what it did."""

    name: str
    port: int
    cells: dict[Cell, Taken] = field(default_factory=dict)
    memory: list[Memory] = field(default_factory=list)


def report(builds: list[Build], parts: Mapping[str, float], workload: str) -> bool:
    """Print the tables and the verdicts; return whether each goal is met.

    `work` is what the web workers' processors do for an answer. It is the same however busy a machine is.
    """
    print(f"{workload}; {os.cpu_count()} processors")
    print("  in one process, p50 ms: " + ", ".join(f"{name} {value:.2f}" for name, value in parts.items()))
    print(f"  {'':<18} {'clients':>7}" + "".join(f"  {build.name:>41}" for build in builds))
    print(f"  {'':<18} {'':>7}" + HEADS * len(builds))
    for page, count in builds[0].cells:
        print(f"  {page:<18} {count:>7}" + "".join(_show(build.cells.get((page, count))) for build in builds))
    for build in builds:
        for each in build.memory:
            print(f"  a worker of {build.name}, MB: {each.resident:.0f} resident, ", end="")
            print(f"{each.share:.0f} its share (PSS), {each.own:.0f} its own")
    ours = builds[0]
    verdicts = judge(ours.cells, parts)
    for other in builds[1:]:
        most = max(count for _, count in ours.cells)
        verdicts += compare((ours.cells, ours.memory), (other.cells, other.memory), most)
    print("\n".join(map(str, verdicts)))
    return all(verdict.is_met for verdict in verdicts)


def _show(taken: Taken | None) -> str:
    if taken is None or not taken.times:
        return f"  {'-':>41}"
    p50, p99 = median(taken.times), find_percentile(taken.times, 99)
    return f"  {taken.rate:10.1f} {p50:7.1f} {p99:7.0f} {taken.work:7.1f} {taken.errors:6}"
