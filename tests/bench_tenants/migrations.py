"""`migrate_schemas` over a fleet: with nothing to do, and with one new migration for every tenant."""

from typing import Any

from django.core.management import call_command
from django.test import override_settings

from tests.bench_tenants.database import make_tenants, measure, show

ADDED = {"articles": "tests.bench_tenants.added_migration.migrations"}


def bench(count: int) -> None:
    """Print how many times faster than django-tenants' standard executor the fleet's command is."""
    make_tenants(count)
    for name, options in {
        "nothing to do, --tenant": {"tenant": True},
        "nothing to do, with public": {},
    }.items():
        ours = min(measure(lambda: _migrate(**options)) for _ in range(3))  # noqa: B023 - called at once
        show(name, ours, measure(lambda: _migrate(executor="standard", **options)))  # noqa: B023
    with override_settings(MIGRATION_MODULES=ADDED):
        theirs = measure(lambda: _migrate(tenant=True, executor="standard"))
        _migrate("articles", "0001", tenant=True)
        ours = measure(lambda: _migrate(tenant=True))
        show("a new migration for all", ours, theirs)
        _migrate("articles", "0001", tenant=True)
        ours = measure(lambda: _migrate(tenant=True, parallel=1))
        show("a new migration for all, one at a time", ours, theirs)


def _migrate(*args: str, **options: Any) -> None:
    call_command("migrate_schemas", *args, verbosity=0, **options)
