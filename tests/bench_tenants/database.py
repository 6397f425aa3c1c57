"""A database for one benchmark, and how its figures are printed."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

from django.core.management import call_command
from django.db import connection
from django_tenants.utils import quote_schema_name
from tqdm import trange

from tenants.models import Tenant
from tenants.postgresql.role_names import get_group_name
from tenants.provisioning.life_cycle import provision, register_tenant


@contextmanager
def own_database() -> Iterator[None]:
    """Make a database with migrated shared apps the default one; drop it and its roles at the end."""
    before, name = connection.settings_dict["NAME"], f"bench_tenants_{os.getpid()}"
    _execute(f"CREATE DATABASE {name}")
    _switch(name)
    try:
        call_command("migrate_schemas", shared=True, verbosity=0)
        yield
    finally:
        _switch(before)
        _execute(f"DROP DATABASE {name} WITH (FORCE)")
        _drop_roles(get_group_name(name))


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


def _switch(name: str) -> None:
    connection.close()
    connection.settings_dict["NAME"] = name


def _drop_roles(group: str) -> None:
    """Roles belong to the server; with the database their rights are gone, and nothing holds them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolname FROM pg_roles WHERE rolname = %s OR starts_with(rolname, %s)",
            [group, f"{group}_"],
        )
        for (role,) in cursor.fetchall():
            cursor.execute(f"DROP ROLE {quote_schema_name(role)}")
    connection.close()


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()
