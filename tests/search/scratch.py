"""A session of its own, whose statements commit, in a schema made for it."""

from concurrent.futures import ThreadPoolExecutor

from django.db import connection

from apps.search.storage.pgvector.models import PgVectorEmbedding
from tenants.holding import list_tasks
from tenants.models import Tenant

SCRATCH = "scratch_search"


def run_in_scratch(function):
    """Call a function there and return what it returns; the schema has the default table, for that long."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(_run, function).result(timeout=120)


def _run(function):
    connection.set_tenant(Tenant(schema_name=SCRATCH))
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP SCHEMA IF EXISTS {SCRATCH} CASCADE")
            cursor.execute(f"CREATE SCHEMA {SCRATCH}")
        with connection.schema_editor() as editor:
            editor.create_model(PgVectorEmbedding)
        return function()
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP SCHEMA IF EXISTS {SCRATCH} CASCADE")
        list_tasks(SCRATCH).delete()  # of bulk writes, whose keywords are left to a worker
        connection.close()
