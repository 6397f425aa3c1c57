from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django_tasks_db.models import DBTaskResult

from apps.articles.importing.records import Record
from apps.articles.importing.saving import Summary, _import_batch
from apps.articles.models import Article
from tenants.context import owner_rights, tenant_context

ROUNDS, RECORDS = 15, 60


@pytest.fixture
def cleaned(acme, committed):
    """Deletes what the imports of a test committed."""

    def clean():
        with tenant_context(acme), owner_rights():
            Article.objects.filter(key__startswith="deadlock").delete()
            DBTaskResult.objects.all().delete()

    yield
    committed(clean)


@pytest.mark.usefixtures("cleaned")
def test_imports_of_the_same_records_in_opposite_order_never_wait_for_each_other(acme):
    keys = [f"deadlock {number:03}" for number in range(RECORDS)]

    def import_all(ordered):
        try:
            with tenant_context(acme):
                for number in range(ROUNDS):
                    records = {
                        key: vars(Record(key, f"{number}", f"{ordered[0]} {number}", "")) for key in ordered
                    }
                    # Without the retry: the order of the locks alone must do.
                    _import_batch.__wrapped__(records, Summary())
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(import_all, [keys, keys[::-1]]))
