"""Prints the table; fails when hybrid search does not beat both of its halves in the space "default"."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import mean
from typing import Any

import django
from tqdm import tqdm

DEPTH = 10
SPACES = ("default", "fast")
RUNS: dict[str, tuple[str, dict[str, Any]]] = {
    "semantic": ("semantic", {}),
    "keyword": ("keyword", {}),
    "hybrid": ("hybrid", {}),
    "hybrid min-max": ("hybrid", {"method": "minmax"}),
}


def main() -> None:
    """Measure every mode on every task in every space."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    django.setup()
    from tests.eval.tasks import make_tasks

    tasks = make_tasks()
    for task in tasks:
        print(f"{task.name}: {len(task.documents)} documents, {len(task.queries)} queries")
    print(f"\n{'MRR@10 / recall@10':<16}{'':>6}" + "".join(f"{name:>18}" for name in RUNS))
    averages = {}
    with _passing_tenant():
        for space in SPACES:
            results = [_measure(task, space) for task in tasks]
            for task, found in zip(tasks, results, strict=True):
                _print(f"{space}, {task.name}", found)
            averages[space] = {
                name: tuple(mean(found[name][column] for found in results) for column in (0, 1))
                for name in RUNS
            }
            _print(f"{space}, average", averages[space])
    _judge(averages["default"])


def _measure(task: Any, space: str) -> dict[str, tuple[float, ...]]:
    from apps.search.documents import Document
    from apps.search.searching.hybrid import search_by_mode
    from apps.search.storage.pgvector import PgVectorProvider
    from apps.search_quality.evaluating.measures import get_recall, get_reciprocal_rank

    provider = PgVectorProvider(index_name=task.name, space=space)
    items = task.documents.items()
    provider.add(Document(key, text) for key, text in _with_bar(items, f"{space}, {task.name}: embedding"))
    found: dict[str, tuple[float, ...]] = {}
    for name, (mode, options) in RUNS.items():
        lists = [
            (_list_keys(search_by_mode(provider, query, mode, **options)), {key})
            for query, key in _with_bar(task.queries, f"{space}, {task.name}: {name}")
        ]
        found[name] = tuple(
            mean(measure(keys, wanted, DEPTH) for keys, wanted in lists)
            for measure in (get_reciprocal_rank, get_recall)
        )
    return found


def _list_keys(documents: Any) -> list[str]:
    return [document.document_key for document in documents[:DEPTH]]


def _judge(average: dict[str, tuple[float, ...]]) -> None:
    hybrid, *halves = (average[name][0] for name in ("hybrid", "semantic", "keyword"))
    if hybrid <= max(halves):
        sys.exit(f"hybrid: MRR@10 {hybrid:.3f} does not beat {max(halves):.3f}, that of one of its halves.")
    print(f"hybrid beats both of its halves: MRR@10 {hybrid:.3f}, theirs {halves[0]:.3f} and {halves[1]:.3f}")


def _print(label: str, found: dict[str, tuple[float, ...]]) -> None:
    tqdm.write(f"{label:<22}" + "".join(f"{mrr:>10.3f} / {recall:.3f}" for mrr, recall in found.values()))


def _with_bar(items: Any, label: str) -> Any:
    return tqdm(items, desc=label, leave=False, disable=None, total=len(items))


@contextmanager
def _passing_tenant() -> Iterator[None]:
    from tenants.context import tenant_context
    from tenants.provisioning.life_cycle import provision, register_tenant
    from tests.own_database import own_database

    with own_database("eval"):
        tenant = register_tenant(name="Eval", subdomain="eval", owner_email="owner@eval.example")
        provision(tenant)
        with tenant_context(tenant):
            yield


if __name__ == "__main__":
    main()
