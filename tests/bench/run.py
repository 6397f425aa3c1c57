"""One run: temporary schemas, all measurements, nothing left behind."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
from psycopg import sql

from tenants.context import connection, tenant_context
from tests.bench import peers
from tests.bench.fleet import measure_fleet, temporary_tenants
from tests.bench.measure import Progress, measure, summarise, time_queries
from tests.bench.ours import Ours
from tests.bench.raw import Raw
from tests.bench.workload import Options, Workload

PARAMETERS = ("host", "port", "user", "password", "dbname")


def run(options: Options, progress: Progress, *, with_peers: bool = False) -> dict[str, Any]:
    """Return what was measured, as plain data that JSON can hold."""
    workload = Workload(options)
    parameters = get_parameters()
    with temporary_tenants(options.tenants + 1, progress) as (tenant, *others):
        schema = f"{tenant.schema_name}_raw"
        with tenant_context(tenant), closing(Raw(parameters, schema, options.dimensions)) as raw:
            ours = Ours(workload)
            contenders = measure([raw, ours], workload, progress)
            by_text = measure_text_search(ours, options)
            server = get_versions()
        fleet = measure_fleet(others, workload, progress)
    if with_peers:
        with temporary_schema(parameters, f"bench_{os.getpid()}_peers") as schema:
            contenders |= peers.measure(options, parameters, schema)
    return {
        "options": vars(options),
        "server": server,
        "contenders": contenders,
        "text_search": by_text,
        "fleet": fleet,
    }


def measure_text_search(ours: Ours, options: Options) -> dict[str, dict[str, float]]:
    """Return the milliseconds of the searches that use words, by mode."""
    latencies, _ = time_queries(ours.searches_by_text(), options.queries, options.rounds)
    return {mode: summarise(found) for mode, found in latencies.items()}


@contextmanager
def temporary_schema(parameters: dict[str, Any], name: str) -> Iterator[str]:
    """Make a schema and drop it with all it holds, whatever becomes of those who use it."""
    with closing(psycopg.connect(**parameters, autocommit=True)) as keeper:
        keeper.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
        try:
            yield name
        finally:
            keeper.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))


def get_parameters() -> dict[str, Any]:
    """Return what another driver needs to reach Django's database."""
    found = connection.get_connection_params()
    return {name: found[name] for name in PARAMETERS if found.get(name)}


def get_versions() -> dict[str, str]:
    """Return the versions of PostgreSQL and pgvector."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('server_version'), extversion FROM pg_extension WHERE extname = 'vector'"
        )
        return dict(zip(("PostgreSQL", "pgvector"), cursor.fetchone(), strict=True))
