import pytest
from django_tasks_db.models import DBTaskResult

from tenants.context import tenant_context, unbound
from tenants.models import Tenant

from . import tasks

pytestmark = pytest.mark.usefixtures("as_owner")


@pytest.fixture
def lone(committed, settings):
    """A tenant that stands in the registry only, committed; it has neither schema nor role."""
    settings.TENANT_ROLES = False

    def make():
        values = {"name": "Lone", "subdomain": "lone", "schema_name": "lone"}
        return Tenant.objects.create(owner_email="owner@lone.example", state="active", **values)

    yield committed(make)
    committed(Tenant.objects.filter(schema_name="lone").delete)


@pytest.fixture
def worker(run_tasks):
    return run_tasks.worker


@pytest.fixture
def run_committed(committed, run_tasks):
    """Write tasks for tenants, and run them in a session that commits, as a worker does."""

    def run(*written):
        ids = []
        for tenant, task, args in written:
            with tenant_context(tenant):
                ids.append(task.enqueue(*args).id)
        try:
            run_tasks()
            with unbound():
                return [DBTaskResult.objects.filter(pk=pk).first() for pk in ids]
        finally:
            with unbound():
                DBTaskResult.objects.filter(pk__in=ids).delete()

    return lambda *written: committed(run, *written)


@pytest.mark.parametrize("fails", [False, True])
def test_a_worker_outlives_the_row_of_its_task(acme, globex, run_committed, caplog, fails):
    lost, kept = run_committed((acme, tasks.lose_row, [fails]), (globex, tasks.report_binding, []))

    assert lost is None
    assert kept.return_value == ["globex", "globex"]
    assert "(tests.tenants.tasks.lose_row) is not in the queue any more" in caplog.text
    assert "how it ended is lost: the row was deleted" in caplog.text


def test_a_worker_outlives_the_tenant_of_its_task(lone, globex, run_committed, caplog):
    lost, kept = run_committed((lone, tasks.lose_tenant, []), (globex, tasks.report_binding, []))

    assert lost is None
    assert kept.return_value == ["globex", "globex"]
    assert "how it ended is lost: the tenant 'lone' was deleted" in caplog.text


def test_a_worker_outlives_a_task_that_goes_before_it_is_put_back(lone, committed, worker, caplog):
    def claim_and_lose():
        with tenant_context(lone):
            row = DBTaskResult.objects.get(pk=tasks.report_binding.enqueue().id)
        Tenant.objects.filter(pk=lone.pk).update(state="suspended")
        DBTaskResult.objects.filter(pk=row.pk).delete()
        worker.run_task(row)

    committed(claim_and_lose)

    assert "how it ended is lost: the row was deleted" in caplog.text
