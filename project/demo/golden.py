"""Golden queries of the demo's tenants, so that the page of search quality has figures to show.

The app of search quality may be left out: then there are none.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.apps import apps
from django.utils.module_loading import import_string

from tenants.context import tenant_context

QUALITY = "apps.search_quality"
INDEX = "articles"
NOTED = 6  # golden queries that also stand among the recent searches


def import_golden(tenant: Any, keys: Iterable[str]) -> None:
    """Give a tenant that has no golden queries those of its file that these articles answer."""
    if not apps.is_installed(QUALITY):
        return
    note_search = import_string(f"{QUALITY}.recent.note_search")
    with tenant_context(tenant):
        if import_string(f"{QUALITY}.models.GoldenQuery").objects.exists():
            return
        rows = read_golden(tenant.subdomain, keys)
        import_string(f"{QUALITY}.exchange.import_golden")([json.dumps(row) for row in rows])
        for row in reversed(rows[:NOTED]):
            note_search(INDEX, row["q"], "semantic")


def read_golden(subdomain: str, keys: Iterable[str]) -> list[dict[str, Any]]:
    """Return a tenant's golden queries with those answers that are among the keys; none without an answer."""
    known = set(keys)
    lines = (Path(__file__).parent / f"golden_{subdomain}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    for row in rows:
        row["answers"] = [answer for answer in row["answers"] if answer["key"] in known]
    return [row for row in rows if row["answers"]]


def ask_for_evaluation(tenant: Any) -> None:
    """Leave it to a worker to evaluate the search of a tenant that was never evaluated."""
    if not apps.is_installed(QUALITY):
        return
    with tenant_context(tenant):
        if import_string(f"{QUALITY}.models.EvaluationRun").objects.exists():
            return
        run = import_string(f"{QUALITY}.runs.ask_for_run")(INDEX)
        import_string(f"{QUALITY}.tasks.carry_out_run").enqueue(run.pk)
