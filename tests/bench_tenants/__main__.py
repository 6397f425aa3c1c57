"""Run every benchmark of the package, or those named on the command line."""

import os
import pkgutil
import sys
from importlib import import_module

import django

import tests.bench_tenants as package


def main() -> None:
    """Take the number of tenants from TENANTS (100 when unset)."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    django.setup()
    from tests.own_database import own_database

    count = int(os.environ.get("TENANTS") or 100)
    names = sys.argv[1:] or [found.name for found in pkgutil.iter_modules(package.__path__)]
    modules = [import_module(f"{package.__name__}.{name}") for name in names if not name.startswith("_")]
    for module in modules:
        if hasattr(module, "bench"):
            print(f"\n{module.__name__.rpartition('.')[2]}, {count} tenants", flush=True)
            with own_database("bench_tenants"):
                module.bench(count)


main()
