"""`make bench-tenants TENANTS=100`: ratios against django-tenants' own way, measured in the same run.

Every module of this package with a function `bench(count)` is run, in a database of its own that is dropped
afterwards. A module prints its ratios through `tests.bench_tenants.database.show`.
"""
