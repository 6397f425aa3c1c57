"""Whether work can be done: in the database at all, and in each tenant."""

from collections.abc import Iterable
from functools import cache

from django.db.migrations.loader import MigrationLoader

from tenants.context import connection
from tenants.models import Tenant
from tenants.postgresql.role_names import are_roles_used
from tenants.provisioning.roles import list_roles
from tenants.provisioning.schemas import list_schemas
from tenants.validators import is_schema_name


def find_broken(tenants: Iterable[Tenant]) -> dict[str, str]:
    """Return what is broken about some of these tenants, which should have a schema; by its name."""
    schemas = list_schemas()
    roles = list_roles() if are_roles_used() else schemas.keys()
    broken = {}
    for schema in (tenant.schema_name for tenant in tenants):
        if not is_schema_name(schema):
            broken[schema] = "no schema can have this name"
        elif schema not in schemas:
            broken[schema] = "it has no schema"
        elif not schemas[schema]:
            broken[schema] = "its schema has no tables"
        elif schema not in roles:
            broken[schema] = "it has no database role"
    return broken


def find_unready() -> list[str]:
    """Return what keeps this code from working with the database: the extension, or migrations it lacks.

    Reads `public` only; a tenant that lags has a state of its own. Raises DatabaseError without a database.
    """
    faults = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'vector'")
        home = cursor.fetchone()
        if home != ("public",):
            faults.append("the extension vector is not in the schema public")
        cursor.execute("SELECT to_regclass('public.django_migrations') IS NOT NULL")
        applied = set()
        if cursor.fetchone() == (True,):
            cursor.execute("SELECT app, name FROM public.django_migrations")
            applied = set(cursor.fetchall())
    lacking = sorted(".".join(each) for each in _list_last_migrations() - applied)
    return faults + ([f"public lacks migrations up to {', '.join(lacking)}"] if lacking else [])


@cache
def _list_last_migrations() -> frozenset[tuple[str, str]]:
    # Which files there are does not change while a process lives.
    loader = MigrationLoader(None, ignore_no_migrations=True)
    return frozenset(loader.graph.leaf_nodes())
