"""What this project promises, as ratios and recalls, and whether a run kept it."""

from dataclasses import dataclass
from typing import Any

from tests.bench.workload import CASES

INGEST = 0.5  # of raw
READD = 20  # times the best peer
BEST_PEER_READD = 617  # documents/s: django-ai-core 0.1.6, default table, when no peer is measured
LATENCY, FILTERED_LATENCY = 1.6, 2.0  # times raw
RECALL = 0.97
FILTERED_RECALL = 0.98


@dataclass(frozen=True)
class Verdict:
    """One promise: its `value`, the `target` in words, and whether it was kept."""

    name: str
    value: str
    target: str
    is_met: bool

    def __str__(self) -> str:
        return f"{'ok  ' if self.is_met else 'MISS'}  {self.name}: {self.value} (target {self.target})"


def judge(contenders: dict[str, Any]) -> list[Verdict]:
    """Compare what was measured of us with the targets."""
    ours, raw = contenders["ours"], contenders["raw"]
    peers = [each["readd"] for name, each in contenders.items() if name not in ("ours", "raw")]
    best = max(peers, default=BEST_PEER_READD)
    ingest, readd = ours["ingest"] / raw["ingest"], ours["readd"] / best
    verdicts = [
        Verdict("ingest", f"{ingest:.2f}x raw", f">= {INGEST}x", ingest >= INGEST),
        Verdict(
            "unchanged again",
            f"{readd:.0f}x the best peer's {best:,.0f}/s",
            f">= {READD}x",
            readd >= READD,
        ),
    ]
    for case, filter in CASES.items():
        found, limit = ours["queries"][case], FILTERED_RECALL if filter else RECALL
        ratio = found["p50"] / raw["queries"][case]["p50"]
        most = FILTERED_LATENCY if filter else LATENCY
        verdicts.append(Verdict(f"p50, {case}", f"{ratio:.2f}x raw", f"<= {most}x", ratio <= most))
        recall = found["recall"]
        verdicts.append(Verdict(f"recall, {case}", f"{recall:.3f}", f">= {limit}", recall >= limit))
    return verdicts
