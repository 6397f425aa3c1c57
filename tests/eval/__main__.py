"""Prints the tables; fails when a goal is missed in the average of the first space."""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import mean
from typing import Any

import django
from tqdm import tqdm

DEPTH = 10
WINDOW = 300  # of each ranking that is kept for tests.eval.fusing
SPACES = ("default", "fast")
MODES = ("semantic", "keyword", "hybrid")
PEERS = ("bm25s", "embedder", "RRF")  # RRF: of these two, the first 100 of each, k = 60
WITHIN = {"halves": 0.002, "words": 0.005}  # how far below its goal a mode may be

type Ranking = Sequence[tuple[str, float]]
type Found = dict[str, list[float]]  # reciprocal ranks by mode or peer


def main() -> None:
    """Measure every mode on every task in the spaces named, or in those of SPACES, beside the peers."""
    spaces = sys.argv[1:] or SPACES
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    django.setup()
    from tests.eval import bm25s
    from tests.eval.tasks import make_tasks

    tasks, missing = make_tasks()
    print("\n".join(missing), end="\n" if missing else "")
    error = bm25s.install()
    print(error, end="\n" if error else "")
    peer = {} if error else bm25s.search(tasks, WINDOW)
    languages = {task.language for task in tasks}
    print(f"{len(tasks)} collections in {len(languages)} languages; MRR@10 with its 95% interval")
    kept: dict[str, Any] = {}
    with _passing_tenant() as tenant:
        for space in spaces:
            found, kept[space] = _measure_all(tenant, tasks, space, peer)
            average = _print(space, tasks, found)
            if space == spaces[0]:
                goals = _judge(average)
            _keep(kept)
    missed = [name for name, is_met in goals.items() if not is_met]
    sys.exit(f"missed in the average of the space {spaces[0]}: {', '.join(missed)}" if missed else 0)


def _measure_all(
    tenant: Any, tasks: Sequence[Any], space: str, peer: Mapping[str, Any]
) -> tuple[dict[str, Found], dict[str, Any]]:
    from tests.eval.remembering import RememberingEmbedder

    embedder = RememberingEmbedder(space)
    found, kept = {}, {}
    for task in tasks:
        tenant.search_language = task.configuration
        rankings = _rank(task, space, embedder)
        if peer:
            rankings["bm25s"] = peer[task.name]
            rankings["RRF"] = _fuse(rankings["bm25s"], rankings["embedder"])
        found[task.name] = {name: _score(task, lists) for name, lists in rankings.items()}
        kept[task.name] = {
            name: rankings[name] for name in ("semantic", "keyword", "bm25s") if name in rankings
        }
        embedder.save()
    return found, kept


def _rank(task: Any, space: str, embedder: Any) -> dict[str, list[Ranking]]:
    import numpy as np

    from apps.search.documents import Document
    from apps.search.searching import hybrid
    from apps.search.searching.rankings import Ranking as OurRanking
    from apps.search.storage.pgvector import PgVectorProvider

    provider = PgVectorProvider(index_name=task.name, space=space, embedder=embedder)
    items = task.documents.items()
    documents = (Document(key, text) for key, text in _with_bar(items, f"{space}, {task.name}: embedding"))
    provider.add(documents, keywords_at_once=True)
    rankings: dict[str, list[Ranking]] = {}
    for mode in MODES:
        queries = _with_bar(task.queries, f"{space}, {task.name}: {mode}")
        found = [OurRanking(provider, text, None, mode).read(WINDOW, hybrid.WINDOW)[0] for text, _ in queries]
        rankings[mode] = [[(row.document_key, row.score) for row in rows[:WINDOW]] for rows in found]
    keys = list(task.documents)
    vectors = embedder.embed_documents(task.documents.values())
    asked = np.array([embedder.embed_query(text) for text, _ in task.queries])
    likeness = asked @ vectors.T
    rankings["embedder"] = [
        [(keys[place], float(row[place])) for place in np.argsort(-row, kind="stable")[:WINDOW]]
        for row in likeness
    ]
    return rankings


def _fuse(*halves: Sequence[Ranking]) -> list[Ranking]:
    """Return the plain reciprocal rank fusion of the first 100, as most systems have it."""
    fused: list[Ranking] = []
    for lists in zip(*halves, strict=True):
        total: dict[str, float] = {}
        for ranking in lists:
            for rank, (key, _) in enumerate(ranking[:100], 1):
                total[key] = total.get(key, 0.0) + 1 / (60 + rank)
        fused.append(sorted(total.items(), key=lambda item: (-item[1], item[0])))
    return fused


def _score(task: Any, lists: Sequence[Ranking]) -> list[float]:
    from apps.search_quality.evaluating.measures import get_reciprocal_rank

    return [
        get_reciprocal_rank([key for key, _ in ranking], {wanted}, DEPTH)
        for ranking, (_, wanted) in zip(lists, task.queries, strict=True)
    ]


def _print(space: str, tasks: Sequence[Any], found: Mapping[str, Found]) -> dict[str, float]:
    """Print a table, by collection and by language, and return the averages."""
    names = [name for name in (*MODES, *PEERS) if name in found[tasks[0].name]]
    tqdm.write(f"\n{space:<15}" + "".join(f"{name:>16}" for name in names) + "  goals")
    for task in tasks:
        _print_row(task.name, {name: found[task.name][name] for name in names})
    means: dict[str, dict[str, float]] = {}
    for language in sorted({task.language for task in tasks}):
        own = [found[task.name] for task in tasks if task.language == language]
        means[language] = {name: mean(mean(each[name]) for each in own) for name in names}
        _print_means(f"all {language}", means[language])
    average = {
        name: mean(mean(found[task.name][name]) for task in tasks) for name in names
    }  # each collection counts the same
    _print_means("average", average)
    return average


def _print_row(label: str, found: Found) -> None:
    from apps.search_quality.evaluating.measures import estimate_mean

    cells = [estimate_mean(values) for values in found.values()]
    text = "".join(f"{cell.mean:>6.3f} {cell.low:.2f}-{cell.high:.2f}" for cell in cells)
    tqdm.write(f"{label:<15}{text}  {_tell(_judge({name: mean(each) for name, each in found.items()}))}")


def _print_means(label: str, means: dict[str, float]) -> None:
    cells = "".join(f"{value:>6.3f}{'':>10}" for value in means.values())
    tqdm.write(f"{label:<15}{cells}  {_tell(_judge(means))}")


def _judge(means: Mapping[str, float]) -> dict[str, bool]:
    """Return which goals are met: hybrid against its halves and plain RRF, words against bm25s."""
    goals = {"halves": means["hybrid"] >= max(means["semantic"], means["keyword"]) - WITHIN["halves"]}
    if "RRF" in means:
        goals["RRF"] = means["hybrid"] >= means["RRF"]
        goals["words"] = means["keyword"] >= means["bm25s"] - WITHIN["words"]
    return goals


def _tell(goals: Mapping[str, bool]) -> str:
    return ", ".join(f"{name} {'ok' if is_met else 'MISS'}" for name, is_met in goals.items())


def _keep(rankings: Mapping[str, Any]) -> None:
    from tests.eval.remembering import FOLDER

    (FOLDER / "rankings.json").write_text(json.dumps(rankings))


def _with_bar(items: Any, label: str) -> Any:
    return tqdm(items, desc=label, leave=False, disable=None, total=len(items))


@contextmanager
def _passing_tenant() -> Iterator[Any]:
    from tenants.context import get_current_tenant, tenant_context
    from tenants.provisioning.life_cycle import provision, register_tenant
    from tests.own_database import own_database

    with own_database("eval"):
        tenant = register_tenant(name="Eval", subdomain="eval", owner_email="owner@eval.example")
        provision(tenant)
        with tenant_context(tenant):
            yield get_current_tenant()


if __name__ == "__main__":
    main()
