"""`migrate_schemas` over a fleet: with nothing to do, and with one new migration for every tenant.

django-tenants' executor deals with one tenant after another, which takes minutes where there are many. Beyond
100 tenants, 50 of them spread over the fleet are measured and the time is multiplied; the output says so.
"""

from typing import Any

from django.core.management import call_command
from django.test import override_settings

from tests.bench_tenants.database import make_tenants, measure, show

ADDED = {"articles": "tests.bench_tenants.added_migration.migrations"}
SAMPLE = 50


def bench(count: int) -> None:
    """Print how many times faster than django-tenants' standard executor the fleet's command is."""
    schemas = [tenant.schema_name for tenant in make_tenants(count)]
    sample = schemas[:: count // SAMPLE] if count > 2 * SAMPLE else []
    if sample:
        print(f"  django-tenants' own: {len(sample)} tenants measured, times {count / len(sample):.1f}")
    theirs = _measure_stock(sample, count)
    show("nothing to do, --tenant", _measure_best(tenant=True), theirs)
    theirs += measure(lambda: _migrate(shared=True, executor="standard"))
    show("nothing to do, with public", _measure_best(), theirs)
    with override_settings(MIGRATION_MODULES=ADDED):
        theirs = _measure_stock(sample, count)
        _migrate("articles", "0001", tenant=True)
        ours = measure(lambda: _migrate(tenant=True))
        show("a new migration for all", ours, theirs)
        _migrate("articles", "0001", tenant=True)
        ours = measure(lambda: _migrate(tenant=True, parallel=1))
        show("a new migration for all, one at a time", ours, theirs)


def _measure_stock(sample: list[str], count: int) -> float:
    """Return the seconds of the standard executor over all tenants, reckoned from the sample if any."""
    if not sample:
        return measure(lambda: _migrate(tenant=True, executor="standard"))
    return measure(lambda: _migrate_each(sample)) * count / len(sample)


def _migrate_each(schemas: list[str]) -> None:
    for schema in schemas:
        _migrate(executor="standard", schema_name=schema)


def _measure_best(**options: Any) -> float:
    return min(measure(lambda: _migrate(**options)) for _ in range(3))


def _migrate(*args: str, **options: Any) -> None:
    call_command("migrate_schemas", *args, verbosity=0, **options)
