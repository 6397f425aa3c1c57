"""Golden queries of the demo's tenants, so that the page of search quality has figures to show.

The app of search quality may be left out, and then there are none. So only its commands and the names of its
models are used.
"""

import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.management import call_command
from django.http import HttpRequest

from apps.search.searching.answering import SearchRequest, tell_answered
from tenants.context import tenant_context
from tenants.models import Tenant

INDEX = "articles"
NOTED = 6  # golden queries that also stand among the recent searches


def import_golden(tenant: Tenant, keys: Iterable[str], folder: Path) -> None:
    """Give a tenant that has no golden queries those of its file that these articles answer."""
    with tenant_context(tenant):
        if not _is_measured() or _has("GoldenQuery"):
            return
        rows = read_golden(tenant.subdomain, keys)
        file = folder / f"golden_{tenant.subdomain}.jsonl"
        file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        call_command("golden_queries", "import", str(file), schema=tenant.schema_name, stdout=io.StringIO())
        for row in reversed(rows[:NOTED]):
            tell_answered(HttpRequest(), SearchRequest(row["q"], INDEX))


def read_golden(subdomain: str, keys: Iterable[str]) -> list[dict[str, Any]]:
    """Return a tenant's golden queries with those answers that are among the keys; none without an answer."""
    known = set(keys)
    lines = (Path(__file__).parent / f"golden_{subdomain}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    for row in rows:
        row["answers"] = [answer for answer in row["answers"] if answer["key"] in known]
    return [row for row in rows if row["answers"]]


def evaluate(tenant: Tenant) -> None:
    """Evaluate the search of a tenant that was never evaluated."""
    with tenant_context(tenant):
        if not _is_measured() or not _has("GoldenQuery") or _has("EvaluationRun"):
            return
    call_command("evaluate_search", schema=tenant.schema_name, save=True, stdout=io.StringIO())


def _is_measured() -> bool:
    return "quality" in apps.app_configs


def _has(model: str) -> bool:
    return apps.get_model("quality", model).objects.exists()
