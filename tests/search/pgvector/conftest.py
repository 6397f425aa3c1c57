from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django_tasks_db.models import DBTaskResult

from apps.search.storage.pgvector import PgVectorProvider
from apps.search.storage.pgvector.ann.report import carry_out, report_ann_indexes
from apps.search.storage.pgvector.ann.status import list_tables
from apps.search.storage.pgvector.keywords.renewing import drop_postings
from apps.search.storage.pgvector.tables.ann_index import list_declared
from tenants.context import owner_rights, tenant_context


def _clean():
    for model in list_tables():
        provider = PgVectorProvider(model, space="committed")
        provider.clear()
        drop_postings(model, provider.space, provider.index_name)
    list(carry_out(report_ann_indexes()))
    with owner_rights(), connection.cursor() as cursor:
        DBTaskResult.objects.all().delete()
        for index in (each for model in list_tables() for each in list_declared(model)):
            cursor.execute(f"COMMENT ON INDEX {connection.ops.quote_name(index.name)} IS NULL")


@pytest.fixture
def commit(acme, globex):
    """Call a function in a session of its own, whose statements commit, with a tenant bound, or acme.

    The test's own space is `committed`; its rows, ANN indexes, postings and tasks go away before and
    after it.
    """
    with ThreadPoolExecutor(1) as pool:

        def call(function, *arguments, tenant=acme):
            def run():
                with tenant_context(tenant):
                    return function(*arguments)

            return pool.submit(run).result(timeout=120)

        def clean():
            for tenant in (acme, globex):
                call(_clean, tenant=tenant)

        clean()
        yield call
        clean()
        pool.submit(lambda: connection.close()).result()
