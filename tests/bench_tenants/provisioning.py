"""Making tenants from the template against migrating each, and whether the last ones take longer.

Migrating is measured twice: as `migrate_schemas` of this project does it, and with django-tenants' own
executor, which a project gets that adds nothing to it.
"""

import os
from statistics import median
from unittest import mock
from unittest.mock import patch

from django.test import override_settings
from tqdm import trange

from tenants.models import Tenant
from tenants.provisioning.life_cycle import provision, register_tenant
from tenants.provisioning.template import create_schema, get_template
from tenants.signals import owner_needed
from tests.bench_tenants.database import measure, show

SAMPLE, BLOCK = 30, 10  # tenants for a median, made in blocks: migrating leaves a cold connection behind
WARM_UP = 20  # a new database is still being written to the disk
WAYS = {
    "replayed": ({"TEMPLATE": True}, {}),
    "migrated": ({"TEMPLATE": False}, {}),
    "django-tenants": ({"TEMPLATE": False}, {"EXECUTOR": "standard"}),
}


def bench(count: int) -> None:
    """Print the medians of all ways, taken in turns, and the first of many tenants against the last."""
    print(f"  the template itself, once: {measure(get_template):.3f} s")
    with patch.object(owner_needed, "receivers", []):  # no password hash and no mail: they are not measured
        _compare(min(SAMPLE, count))
        _grow(count, min(50, max(1, count // 2)))


def _compare(sample: int) -> None:
    for number in range(WARM_UP):
        _make_schema(f"w{number}", "replayed")
    for name, make in {"a schema": _make_schema, "a tenant": _provision}.items():
        times: dict[str, list[float]] = {way: [] for way in WAYS}
        for start in trange(0, sample, BLOCK, desc=name, disable=None, leave=False):
            for way in WAYS:
                block = range(start, min(start + BLOCK, sample))
                times[way] += [make(f"{name[2]}{way[0]}{number}", way) for number in block]
        ours, *others = (median(taken) for taken in times.values())
        for way, theirs in zip(list(WAYS)[1:], others, strict=True):
            show(f"{name}, p50: replayed against {way}", ours, theirs)


def _grow(count: int, edge: int) -> None:
    numbers = trange(count, desc="many", disable=None, leave=False)
    times = [_provision(f"g{number}", "replayed") for number in numbers]
    first, last = median(times[:edge]), median(times[-edge:])
    show(f"p50 of the last {edge} of {count} against the first", last, first)


def _make_schema(name: str, way: str) -> float:
    setting, environment = WAYS[way]
    with override_settings(TENANT_PROVISIONING=setting), mock.patch.dict(os.environ, environment):
        return measure(lambda: create_schema(Tenant(schema_name=name)))


def _provision(name: str, way: str) -> float:
    setting, environment = WAYS[way]
    tenant = register_tenant(name=name, subdomain=name, owner_email="owner@example.com")
    with override_settings(TENANT_PROVISIONING=setting), mock.patch.dict(os.environ, environment):
        return measure(lambda: provision(tenant))
