"""The tenants of one benchmark, and how its figures are printed."""

import sys
from collections.abc import Callable
from time import perf_counter

from tqdm import trange

from tenants.models import Tenant
from tenants.provisioning.life_cycle import provision, register_tenant


def make_tenants(count: int) -> list[Tenant]:
    """Provision tenants `t0`, `t1`, ...; nobody is sent mail."""
    from django.conf import settings

    settings.MAILERS["default"] = {"BACKEND": "django.core.mail.backends.dummy.EmailBackend", "OPTIONS": {}}
    tenants = []
    for number in trange(count, desc="tenants", disable=None):
        tenant = register_tenant(name=f"T {number}", subdomain=f"t{number}", owner_email="owner@example.com")
        provision(tenant)
        tenants.append(tenant)
    return tenants


def measure(function: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    started = perf_counter()
    function()
    return perf_counter() - started


def show(name: str, ours: float, theirs: float) -> None:
    """Print one line: what, both times, and how many times faster ours is."""
    print(f"  {name:<48} {theirs:9.3f} s {ours:9.3f} s {theirs / ours:8.1f} x", flush=True)
    sys.stdout.flush()
