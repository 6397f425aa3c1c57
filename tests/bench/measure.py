"""Measures contenders on one workload, in turn, so that a noisy machine slows them all alike.

A contender is an object with a `name` and

    prepare(items)           what its documents are made of, once, not timed
    empty(), ingest()        all documents away; all documents in
    build_index()            the vector index
    nearest(vector, filter)  the nearest K rows whose metadata contains `filter` (None: all)
    positions(rows)          the positions of these documents, not timed
    ways_to_readd()          functions that write the first `count` documents again, unchanged, by name

It may have a `readd_share`, one in how many documents is added again where all take minutes (`is_slow`: and
everything that writes is measured once only), and `ingest_worded()`: as `ingest`, into a table that can be
searched by words, too; and `finish()`: does what the last ingest left to do, and returns figures of its own.
"""

from collections.abc import Callable, Iterable
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from tests.bench.clock import seconds
from tests.bench.workload import CASES, Workload

BLOCK = 20  # queries in turn: few enough to share a machine's moods, enough to find its caches warm

type Progress = Callable[[str], None]


def measure(contenders: Iterable[Any], workload: Workload, progress: Progress) -> dict[str, dict[str, Any]]:
    """Return for each contender, by name: documents/s, seconds, and by case milliseconds and recall."""
    contenders = list(contenders)
    figures: dict[str, dict[str, Any]] = {each.name: {"queries": {}} for each in contenders}
    for each in contenders:
        each.prepare(workload.items)
    _measure_ingest(contenders, workload, figures, progress)
    for each in contenders:
        progress(f"{each.name}: building the index")
        figures[each.name]["index_seconds"] = seconds(each.build_index)
    for case in CASES:
        progress(f"queries, {case}")
        for name, found in _measure_queries(contenders, workload, case).items():
            figures[name]["queries"][case] = found
    _measure_readd(contenders, workload, figures, progress)
    return figures


def summarise(latencies: list[float]) -> dict[str, float]:
    """Return the median and the 95th percentile of seconds, in milliseconds."""
    p50, p95 = np.percentile(np.array(latencies) * 1000, [50, 95])
    return {"p50": float(p50), "p95": float(p95)}


def time_queries(
    functions: dict[str, Callable[[int], Any]], count: int, rounds: int
) -> tuple[dict[str, list[float]], dict[str, list[Any]]]:
    """Call each function with 0 to count - 1, in blocks in turn; return seconds and first answers by name."""
    latencies: dict[str, list[float]] = {name: [] for name in functions}
    answers: dict[str, list[Any]] = {name: [] for name in functions}
    for function in functions.values():
        for number in range(min(BLOCK, count)):
            function(number)
    for turn in range(rounds):
        for start in range(0, count, BLOCK):
            for name, function in functions.items():
                for number in range(start, min(start + BLOCK, count)):
                    began = perf_counter()
                    answer = function(number)
                    latencies[name].append(perf_counter() - began)
                    if turn == 0:
                        answers[name].append(answer)
    return latencies, answers


def _measure_ingest(contenders: list[Any], workload: Workload, figures: dict, progress: Progress) -> None:
    rates: dict[str, list[float]] = {each.name: [] for each in contenders}
    worded: dict[str, list[float]] = {}
    for turn in range(workload.options.rounds):
        for each in contenders:
            if turn and getattr(each, "is_slow", False):
                continue
            progress(f"{each.name}: ingest, round {turn + 1}")
            each.empty()
            rates[each.name].append(len(workload.items) / seconds(each.ingest))
            if hasattr(each, "ingest_worded"):
                rate = len(workload.items) / seconds(each.ingest_worded)
                worded.setdefault(each.name, []).append(rate)
    for name, found in rates.items():
        figures[name]["ingest"] = median(found)
    for name, found in worded.items():
        figures[name]["ingest_worded"] = median(found)
    for each in contenders:
        if hasattr(each, "finish"):
            progress(f"{each.name}: what it left to a worker")
            figures[each.name] |= each.finish()


def _measure_queries(contenders: list[Any], workload: Workload, case: str) -> dict[str, dict[str, float]]:
    filters = [workload.get_filter(case, number) for number in range(workload.options.queries)]
    functions = {
        each.name: lambda number, each=each: each.nearest(workload.queries[number], filters[number])
        for each in contenders
    }
    latencies, answers = time_queries(functions, len(filters), workload.options.rounds)
    found = {}
    for each in contenders:
        recalls = [
            workload.get_recall(case, number, each.positions(rows))
            for number, rows in enumerate(answers[each.name])
        ]
        found[each.name] = summarise(latencies[each.name]) | {"recall": float(np.mean(recalls))}
    return found


def _measure_readd(contenders: list[Any], workload: Workload, figures: dict, progress: Progress) -> None:
    for each in contenders:
        share = getattr(each, "readd_share", 1)
        count = max(1, len(workload.items) // share)
        rounds = 1 if getattr(each, "is_slow", False) else workload.options.rounds
        rates = {}
        for way, readd in each.ways_to_readd().items():
            progress(f"{each.name}: {count:,} unchanged documents again, {way}")
            rates[way] = count / median(seconds(partial(readd, count)) for _ in range(rounds))
        figures[each.name] |= {"readd": max(rates.values()), "ways_to_readd": rates}
