"""One run: a database of its own, all measurements, nothing left behind."""

from contextlib import closing
from typing import Any

from tenants.context import connection, tenant_context
from tests.bench import peers
from tests.bench.fleet import make_tenants, measure_fleet
from tests.bench.measure import Progress, measure, summarise, time_queries
from tests.bench.ours import Ours
from tests.bench.raw import Raw
from tests.bench.workload import Options, Workload
from tests.own_database import own_database

PARAMETERS = ("host", "port", "user", "password", "dbname")


def run(options: Options, progress: Progress, *, with_peers: bool = False) -> dict[str, Any]:
    """Return what was measured, as plain data that JSON can hold."""
    workload = Workload(options)
    with own_database("bench"):
        parameters = get_parameters()
        tenant, *others = make_tenants(options.tenants + 1, progress)
        schema = f"{tenant.schema_name}_raw"
        with tenant_context(tenant), closing(Raw(parameters, schema, options.dimensions)) as raw:
            ours = Ours(workload)
            contenders = measure([raw, ours], workload, progress)
            by_text = measure_text_search(ours, options)
            server = get_versions()
        fleet = measure_fleet(others, workload, progress)
        if with_peers:
            contenders |= peers.measure(options, parameters, make_schema("peers"))
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


def make_schema(name: str) -> str:
    """Make a schema for who reaches the database with another driver; return its name."""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {connection.ops.quote_name(name)}")
    return name


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
