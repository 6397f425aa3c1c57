"""Requests to two tenants in turn and to all of them in turn, by turns, through the WSGI handler.

The first round over all tenants is counted apart: a process remembers nothing then, nor does its session.
"""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from statistics import median
from time import perf_counter

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.test import RequestFactory, override_settings

from apps.articles.models import Article
from apps.search import get_provider
from apps.search.documents import Document
from apps.search.storage.pgvector.tables.ann_index import forget_ann_indexes
from tenants.context import tenant_context
from tenants.hosts import find_domain, forget_hosts
from tenants.models import Tenant
from tests.bench_tenants.database import make_tenants
from tests.search.embedder import BACKEND, HashingEmbedder

PAGES = {"home page": "/", "search page": "/search/?q=hello", "search by API": "/api/search?q=hello"}
PAIRS = 500  # requests on either side after the first round, at least
SAMPLE = 20  # requests between two looks at the server's memory
SERVER_MEMORY = "SELECT sum(total_bytes) / 1e6 FROM pg_backend_memory_contexts"
WSGI = WSGIHandler()


def bench(count: int) -> None:
    """Print the medians over two tenants and over all, what a look-up of the host costs, and the memory."""
    with _as_in_production():
        tenants = _fill(make_tenants(count))
        hosts = [tenant.hostname for tenant in tenants]
        _show_reset(*tenants[:2])
        _show_look_ups(hosts)
        print(f"  {'':<48} {'2 tenants':>12} {f'{count} tenants':>12}")
        _compare_pages("as it is", hosts)
        with override_settings(TENANT_SCHEMAS_PER_CONNECTION=count // 5):
            _compare_pages(f"sessions of {count // 5}", hosts)
        with override_settings(TENANT_CACHE_SECONDS=0):
            _compare_pages("no host remembered", hosts)


@contextmanager
def _as_in_production() -> Iterator[None]:
    HashingEmbedder.reset()
    plain_files = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    max_age = connection.settings_dict["CONN_MAX_AGE"]
    connection.settings_dict["CONN_MAX_AGE"] = None  # or the clock would end sessions, too
    with override_settings(
        DEBUG=False,
        EMBEDDINGS={"default": {"BACKEND": BACKEND, "MODEL": "pgvector.PgVectorEmbedding"}},
        STORAGES=settings.STORAGES | {"staticfiles": plain_files},
    ):
        yield
    connection.settings_dict["CONN_MAX_AGE"] = max_age


def _fill(tenants: list[Tenant]) -> list[Tenant]:
    Tenant.objects.update(search_is_public=True)
    for tenant in tenants:
        with tenant_context(tenant):
            article = Article.objects.create(title="Hello", body="Hello world")
            keys = [f"articles.article:{article.pk}:{number}" for number in range(5)]
            get_provider("articles").add([Document(key, f"hello {key}") for key in keys])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # or the server would, meanwhile
    return tenants


def _show_reset(one: Tenant, other: Tenant) -> None:
    """Print what a query takes in a session that another tenant has just used."""
    times: dict[str, list[float]] = {"reset": [], "kept": [], "same tenant": []}
    for _ in range(PAIRS):
        for way, before in {"reset": other, "kept": other, "same tenant": one}.items():
            _query(before)
            if way == "kept":
                connection._state_of = None  # nobody's state needs no reset
            times[way].append(_time(lambda: _query(one)))
    reset, without, same = (median(each) for each in times.values())
    print(f"  {'session of another tenant: reset, kept':<48} {reset:9.3f} ms {without:9.3f} ms", end="")
    print(f" {reset / without:7.2f} x; of the same tenant {same:.3f} ms", flush=True)


def _query(tenant: Tenant) -> None:
    with tenant_context(tenant), connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _show_look_ups(hosts: list[str]) -> None:
    some = list(islice(cycle(hosts), PAIRS))
    with override_settings(TENANT_CACHE_SECONDS=0):
        asked = median(_time(lambda: find_domain(host)) for host in some)  # noqa: B023 - called at once
    for host in hosts:
        find_domain(host)
    remembered = median(_time(lambda: find_domain(host)) for host in some)  # noqa: B023
    ratio = asked / remembered
    print(f"  {'look-up of a host: asked for, remembered':<48} {asked:9.3f} ms {remembered:9.3f} ms", end="")
    print(f" {ratio:7.1f} x", flush=True)


def _compare_pages(way: str, hosts: list[str]) -> None:
    before, server = _measure_process(), 0.0
    connection.close()
    forget_hosts()
    forget_ann_indexes()
    for page, address in PAGES.items():
        for turns, pairs in {"first requests": len(hosts), "p50": max(PAIRS, 2 * len(hosts))}.items():
            two, many, largest = _take_turns(address, hosts, pairs)
            server = max(server, largest)
            _show(f"{way}: {page}, {turns}", median(two), median(many))
    print(f"  {way}: the server's process at most {server:.1f} MB; ", end="")
    print(f"Python {before:.0f} MB before, {_measure_process():.0f} MB after", flush=True)


def _take_turns(address: str, hosts: list[str], pairs: int) -> tuple[list[float], list[float], float]:
    """Return the milliseconds of both, and the megabytes of the server's process at most."""
    two, many, largest = [], [], 0.0
    for number, host in enumerate(islice(cycle(hosts), pairs)):
        two.append(_get(address, hosts[number % 2]))
        many.append(_get(address, host))
        if number % SAMPLE == SAMPLE - 1:
            largest = max(largest, _measure_server())
    return two, many, largest


def _get(address: str, host: str) -> float:
    """Return the milliseconds of a request, from its beginning to the end of its body."""
    environ = RequestFactory().get(address, headers={"host": host}).environ
    statuses: list[str] = []

    def answer() -> None:
        body = WSGI(environ, lambda status, headers: statuses.append(status))
        b"".join(body)
        body.close()

    taken = _time(answer)
    if statuses != ["200 OK"]:
        raise RuntimeError(f"{host}{address} answered {statuses}")
    return taken


def _time(function: Callable[[], object]) -> float:
    started = perf_counter()
    function()
    return (perf_counter() - started) * 1e3


def _measure_server() -> float:
    with connection.cursor() as cursor:
        cursor.execute(SERVER_MEMORY)
        return float(cursor.fetchone()[0])


def _measure_process() -> float:
    ps = subprocess.run(["ps", "-o", "rss=", "-p", str(os.getpid())], capture_output=True, check=True)  # noqa: S607
    return int(ps.stdout) / 1e3


def _show(name: str, two: float, many: float) -> None:
    print(f"  {name:<48} {two:9.2f} ms {many:9.2f} ms {many / two:7.2f} x", flush=True)
