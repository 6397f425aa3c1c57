"""Making tenants from the template against migrating each, and whether the last ones take longer."""

from statistics import median

from django.test import override_settings
from tqdm import trange

from tenants.models import Tenant
from tenants.provisioning import provision, register_tenant
from tenants.template import create_schema, get_template
from tests.bench_tenants.database import measure, show

SAMPLE, BLOCK = 30, 10  # tenants for a median, made in blocks: migrating leaves a cold connection behind
WARM_UP = 20  # a new database is still being written to the disk
OWNER_FACTORY = f"{__name__}.make_no_owner"


def make_no_owner(email: str, *, base_url: str) -> str:
    """Stand in for the first user: what a password hash and a mail cost is not the template's."""
    return base_url


def bench(count: int) -> None:
    """Print the medians of both ways, taken in turns, and the first of many tenants against the last."""
    print(f"  the template itself, once: {measure(get_template):.3f} s")
    with override_settings(TENANT_OWNER_FACTORY=OWNER_FACTORY):
        _compare(min(SAMPLE, count))
        _grow(count, min(50, max(1, count // 2)))


def _compare(sample: int) -> None:
    for number in range(WARM_UP):
        _make_schema(f"w{number}", True)
    for name, make in {"a schema": _make_schema, "a tenant": _provision}.items():
        ours, theirs = [], []
        for start in trange(0, sample, BLOCK, desc=name, disable=None, leave=False):
            block = range(start, min(start + BLOCK, sample))
            ours += [make(f"{name[2]}r{number}", True) for number in block]
            theirs += [make(f"{name[2]}m{number}", False) for number in block]
        show(f"{name}, p50: replayed against migrated", median(ours), median(theirs))


def _grow(count: int, edge: int) -> None:
    numbers = trange(count, desc="many", disable=None, leave=False)
    times = [_provision(f"g{number}", True) for number in numbers]
    first, last = median(times[:edge]), median(times[-edge:])
    show(f"p50 of the last {edge} of {count} against the first", last, first)


def _make_schema(name: str, by_template: bool) -> float:
    with override_settings(TENANT_PROVISIONING={"TEMPLATE": by_template}):
        return measure(lambda: create_schema(Tenant(schema_name=name)))


def _provision(name: str, by_template: bool) -> float:
    tenant = register_tenant(name=name, subdomain=name, owner_email="owner@example.com")
    with override_settings(TENANT_PROVISIONING={"TEMPLATE": by_template}):
        return measure(lambda: provision(tenant))
