"""`make bench-http`: the site as it is shipped, asked by 1, 4 and 16 clients, beside the parts of a search.

TENANTS (50) tenants of DOCUMENTS (200) documents each; each page is asked for SECONDS (4), ROUNDS (2) times.
AGAINST=/path/to/another/checkout serves that code, too, on the same database; both are asked by turns.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from secrets import token_urlsafe

import django

from tests.bench_http.clients import Order, Taken
from tests.bench_http.processes import count_seconds, find_workers, measure_memory
from tests.bench_http.report import Build, report
from tests.bench_http.targets import EMPTY

TENANTS = int(os.environ.get("TENANTS") or 50)
DOCUMENTS = int(os.environ.get("DOCUMENTS") or 200)
SECONDS = float(os.environ.get("SECONDS") or 4)
ROUNDS = int(os.environ.get("ROUNDS") or 2)
CLIENTS = [int(count) for count in (os.environ.get("CLIENTS") or "1,4,16").split(",")]
SPACE = os.environ.get("SPACE") or "default"
AGAINST = os.environ.get("AGAINST")

MODES = ("keyword", "semantic", "hybrid")
PAGES: dict[str, tuple[str, dict[str, str]]] = {
    EMPTY: ("/empty/", {}),
    **{f"API {mode}": ("/api/search", {"mode": mode}) for mode in MODES},
    **{f"page {mode}": ("/search/", {"mode": mode}) for mode in MODES},
}
REPEATED = "API hybrid, again"  # with a query that was asked before


def main() -> None:
    """Print the table and the verdicts; exit with 1 where a goal is missed."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    secrets = {name: token_urlsafe(50) for name in ("SECRET_KEY", "ENCRYPTION_KEYS")}
    os.environ |= {"DEBUG": "False", "EMAIL_URL": "dummymail://", "LOG_LEVEL": "WARNING"} | secrets
    django.setup()
    from tenants.models import Tenant
    from tests.bench_http.inside import measure_parts
    from tests.bench_neighbours.site import make_tenant, prepare_static_files
    from tests.own_database import own_database

    prepare_static_files()
    with own_database("bench_http"), ExitStack() as stack:
        for number in range(TENANTS):
            make_tenant(f"t{number}", DOCUMENTS, SPACE)
            _tell(f"{number + 1} of {TENANTS} tenants")
        tenants = list(Tenant.objects.all())
        builds = list(_serve(stack))
        for build in builds:
            _warm_up(build, tenants)
        parts = measure_parts(tenants, 200)
        for number in range(ROUNDS):
            _tell(f"round {number + 1} of {ROUNDS}")
            _measure(builds, [tenant.hostname for tenant in tenants])
        for build in builds:
            build.memory = [measure_memory(worker) for worker in find_workers(build.port)]
    sys.exit(not report(builds, parts, f"{TENANTS} tenants of {DOCUMENTS} documents in the space {SPACE!r}"))


def _serve(stack: ExitStack) -> Iterator[Build]:
    from tests.bench_neighbours.site import serve

    logs = Path("var").resolve()
    own = serve(logs / "bench-http.log", DJANGO_SETTINGS_MODULE="tests.bench_http.settings")
    yield Build("this build", stack.enter_context(own))
    if AGAINST:  # its static files need no database, but its settings would start one
        collect = [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity", "0"]
        subprocess.run(
            collect, cwd=AGAINST, env=os.environ | {"DATABASE_URL": "postgresql://none/none"}, check=True
        )
        other = serve(logs / "bench-http-other.log", folder=Path(AGAINST))
        yield Build("the other", stack.enter_context(other))


def _warm_up(build: Build, tenants: list) -> None:
    hosts = [tenant.hostname for tenant in tenants]
    for name in PAGES:
        path, parameters = PAGES[name]
        _ask(Order(build.port, hosts, path, parameters, 4, min(SECONDS, 2)))


def _measure(builds: list[Build], hosts: list[str]) -> None:
    pages = PAGES | {REPEATED: PAGES["API hybrid"]}
    for page, (path, parameters) in pages.items():
        for count in CLIENTS:
            for build in builds:
                if page == EMPTY and build is not builds[0]:
                    continue  # the other checkout has no such page
                order = Order(build.port, hosts, path, parameters, count, SECONDS, page == REPEATED)
                workers = find_workers(build.port)
                before = count_seconds(workers)
                found = _ask(order)
                found.processors = count_seconds(workers) - before
                build.cells.setdefault((page, count), Taken()).add(found)


def _ask(order: Order) -> Taken:
    command = [sys.executable, "-m", "tests.bench_http.clients"]
    done = subprocess.run(
        command, input=json.dumps(asdict(order)), stdout=subprocess.PIPE, check=True, text=True
    )
    return Taken(**json.loads(done.stdout))


def _tell(text: str) -> None:
    print(f"\r{text}   ", end="\n" if text.startswith("round") else "", file=sys.stderr, flush=True)


main()
