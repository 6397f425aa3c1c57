"""The tenants of one run, and searches in them at random."""

from typing import Any

import numpy as np

from tenants.context import connection, owner_rights, tenant_context
from tenants.models import Tenant
from tenants.provisioning.life_cycle import provision, register_tenant
from tests.bench.measure import Progress, summarise, time_queries
from tests.bench.ours import get_provider, make_documents
from tests.bench.workload import K, Workload


def make_tenants(count: int, progress: Progress) -> list[Tenant]:
    """Provision so many tenants."""
    tenants = []
    for number in range(count):
        progress(f"tenant {number + 1} of {count}")
        subdomain = f"bench-{number}"
        tenants.append(register_tenant(name=subdomain, subdomain=subdomain, owner_email="bench@example.com"))
        provision(tenants[-1])
    return tenants


def measure_fleet(tenants: list[Tenant], workload: Workload, progress: Progress) -> dict[str, Any]:
    """Return the milliseconds of searches in always the same tenant and in one at random.

    Each tenant holds its share of the documents, so that only the change of tenants differs.
    """
    share = max(K, len(workload.items) // len(tenants))
    provider = get_provider(workload)
    table = connection.ops.quote_name(provider.model._meta.db_table)
    progress(f"{len(tenants)} tenants: ingest")
    for number, tenant in enumerate(tenants):
        items = workload.items[number * share :][:share] or workload.items[:share]
        with tenant_context(tenant):
            provider.add(make_documents(items))
            with owner_rights():
                connection.cursor().execute(f"VACUUM ANALYZE {table}")
    chosen = np.random.default_rng(50).integers(0, len(tenants), workload.options.queries)

    def search(tenant: int, query: int) -> list[Any]:
        with tenant_context(tenants[tenant]):
            return list(provider.nearest(workload.queries[query])[:K])

    progress(f"{len(tenants)} tenants: queries")
    latencies, _ = time_queries(
        {
            "same": lambda query: search(0, query),
            "random": lambda query: search(int(chosen[query]), query),
        },
        workload.options.queries,
        workload.options.rounds,
    )
    return {name: summarise(found) for name, found in latencies.items()} | {"tenants": len(tenants)}
