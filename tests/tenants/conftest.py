import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django_tasks_db.models import DBTaskResult

from tenants.models import Domain, Tenant
from tenants.worker import RecoveringWorker


@pytest.fixture
def make_tenant(db):
    """A row and a domain without a schema: all that the middleware reads."""

    def make(subdomain, *, state="active", **values):
        schema_name = values.pop("schema_name", subdomain.replace("-", "_"))
        values = {"name": subdomain.title(), "owner_email": f"owner@{subdomain}.example"} | values
        tenant = Tenant.objects.create(subdomain=subdomain, schema_name=schema_name, state=state, **values)
        Domain.objects.create(domain=tenant.hostname, tenant=tenant)
        return tenant

    return make


@pytest.fixture
def operator(client, db):
    user = get_user_model().objects.create_superuser("operator@example.com")
    client.force_login(user)
    return client


@pytest.fixture
def run_tasks(db):
    """Run what waits with a worker's own method; its loop would close the test's transaction."""
    worker = RecoveringWorker(
        queue_names=["default"],
        excluded_queue_names=[],
        backend_name="default",
        worker_id="test-worker",
        interval=0,
        batch=True,
        startup_delay=False,
        max_tasks=None,
    )

    def run():
        while task := DBTaskResult.objects.ready().get_locked():
            task.claim(worker.worker_id)
            worker.run_task(task)

    return run


@pytest.fixture
def other_session(db):
    other = connection.copy()
    yield other
    other.close()


@pytest.fixture
def column(db):
    """Run a query; return the values of its only column, sorted."""

    def select(sql, *parameters):
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return sorted(row[0] for row in cursor.fetchall())

    return select


@pytest.fixture
def schemas(column):
    return lambda: column("SELECT nspname FROM pg_namespace")


@pytest.fixture
def tables_of(column):
    return lambda schema: column("SELECT tablename FROM pg_tables WHERE schemaname = %s", schema)
