import pytest
from asgiref.sync import async_to_sync
from django.core.management import call_command
from django.db import connection, transaction
from django.tasks import TaskResultStatus
from django_tasks_db.models import DBTaskResult

from tenants.context import tenant_context
from tenants.queue.backend import SCHEMA_KEY

from . import tasks
from .tasks import describe_binding

pytestmark = pytest.mark.usefixtures("as_owner")

UNBOUND = ["public", "public"]


def get_outcome(result):
    row = DBTaskResult.objects.get(pk=result.id)
    return row.return_value if row.status == TaskResultStatus.SUCCESSFUL else row.exception_class_path


def test_a_task_written_within_a_tenant_carries_its_schema(in_acme):
    result = tasks.report_arguments.enqueue(1, name="two")

    row = DBTaskResult.objects.get(pk=result.id)
    assert row.args_kwargs == {"args": [1], "kwargs": {"name": "two", SCHEMA_KEY: "acme"}}
    assert row.status == TaskResultStatus.READY


def test_a_task_runs_with_its_tenant_bound(acme, run_tasks):
    with tenant_context(acme):
        result = tasks.report_binding.enqueue()

    run_tasks()

    assert get_outcome(result) == ["acme", "acme"]
    assert describe_binding() == UNBOUND


def test_a_task_written_unbound_runs_unbound_whatever_is_bound_then(acme, run_tasks):
    result = tasks.report_binding.enqueue()

    with tenant_context(acme):
        run_tasks()

    assert get_outcome(result) == UNBOUND


def test_each_task_of_several_tenants_runs_in_its_own(acme, globex, run_tasks):
    results = []
    for tenant in (acme, globex, acme):
        with tenant_context(tenant):
            results.append(tasks.report_binding.enqueue())

    run_tasks()

    assert [get_outcome(result)[0] for result in results] == ["acme", "globex", "acme"]


@pytest.mark.parametrize("first", [tasks.bind_and_leave, tasks.bind_and_fail])
def test_the_task_after_one_that_bound_a_tenant_is_unbound(acme, run_tasks, first):
    first.enqueue("acme")
    second = tasks.report_binding.enqueue()

    run_tasks()

    assert get_outcome(second) == UNBOUND
    assert describe_binding() == UNBOUND


def test_a_task_that_raises_within_its_tenant_is_failed_and_leaves_nothing_bound(acme, run_tasks):
    with tenant_context(acme):
        result = tasks.bind_and_fail.enqueue("globex")

    run_tasks()

    row = DBTaskResult.objects.get(pk=result.id)
    assert row.status == TaskResultStatus.FAILED
    assert "ValueError: bound globex and failed" in row.traceback
    assert describe_binding() == UNBOUND


def test_a_coroutine_task_runs_with_its_tenant_bound(acme, run_tasks):
    with tenant_context(acme):
        result = tasks.report_binding_in_coroutine.enqueue()

    run_tasks()

    assert get_outcome(result) == ["acme", "acme"]
    assert describe_binding() == UNBOUND


def test_a_task_that_takes_its_context_runs_with_its_tenant_bound(acme, run_tasks):
    with tenant_context(acme):
        result = tasks.report_attempt.enqueue()

    run_tasks()

    assert get_outcome(result) == [1, "acme"]


def test_the_function_does_not_see_the_schema_among_its_arguments(acme, run_tasks):
    with tenant_context(acme):
        result = tasks.report_arguments.enqueue(1, name="two")

    run_tasks()

    assert get_outcome(result) == {"args": [1], "kwargs": {"name": "two"}}


def test_a_task_written_in_a_coroutine_carries_the_schema(acme, run_tasks):
    async def write():
        with tenant_context(acme):
            return await tasks.report_binding.aenqueue()

    result = async_to_sync(write)()
    run_tasks()

    assert get_outcome(result) == ["acme", "acme"]


def test_a_task_called_in_a_coroutine_does_not_see_the_schema_and_is_bound(acme):
    called = async_to_sync(tasks.report_binding.acall)(**{SCHEMA_KEY: "acme"})

    assert called == ["acme", "acme"]
    assert describe_binding() == UNBOUND


def test_a_deleted_tenants_task_fails_and_touches_nothing(acme, make_tenant, run_tasks):
    gone = make_tenant("gone")
    with tenant_context(gone):
        result = tasks.report_binding.enqueue()
    gone.delete()

    run_tasks()

    row = DBTaskResult.objects.get(pk=result.id)
    assert row.exception_class_path == "tenants.queue.backend.TenantGoneError"
    assert "The tenant with the schema 'gone' no longer exists." in row.traceback


def test_the_queue_is_a_table_of_public_only(db, column):
    table = DBTaskResult._meta.db_table

    schemas = column("SELECT schemaname FROM pg_tables WHERE tablename = %s", table)

    assert schemas == ["public"]


def test_a_task_goes_with_the_transaction_that_wrote_it(in_acme):
    with transaction.atomic():
        result = tasks.report_binding.enqueue()
        transaction.set_rollback(True)

    assert not DBTaskResult.objects.filter(pk=result.id).exists()


def test_a_task_is_not_seen_by_a_worker_before_its_transaction_ends(in_acme, committed):
    result = tasks.report_binding.enqueue()

    seen = committed(lambda: DBTaskResult.objects.filter(pk=result.id).exists())

    assert not seen
    assert DBTaskResult.objects.filter(pk=result.id).exists()


def test_finished_tasks_are_pruned_by_the_librarys_command(acme, run_tasks):
    result = tasks.report_binding.enqueue()
    run_tasks()

    call_command("prune_db_task_results", min_age_days=0, verbosity=0)

    assert not DBTaskResult.objects.filter(pk=result.id).exists()
    assert connection.schema_name == "public"
