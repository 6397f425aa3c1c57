import pytest
from django.db import connection
from django.tasks import TaskResultStatus
from django_tasks_db.models import DBTaskResult

from apps.operations.deletion.scheduling import keep_tenant, schedule_deletion
from tenants.context import tenant_context
from tenants.provisioning.life_cycle import resume, suspend
from tenants.queue.held_tasks import HELD, hold

from . import tasks


@pytest.fixture
def write_task(db):
    def write(tenant):
        with tenant_context(tenant):
            result = tasks.report_binding.enqueue()
        return DBTaskResult.objects.get(pk=result.id)

    return write


@pytest.mark.parametrize(("close", "open_again"), [(suspend, resume), (schedule_deletion, keep_tenant)])
def test_a_closed_tenants_task_waits_and_runs_once_it_is_served_again(
    acme, write_task, run_tasks, close, open_again
):
    close(acme)
    task = write_task(acme)

    run_tasks()
    task.refresh_from_db()
    waiting = (task.status, task.run_after, task.worker_ids, task.started_at)
    open_again(acme)
    run_tasks()

    task.refresh_from_db()
    assert waiting == (TaskResultStatus.READY, HELD, [], None)
    assert (task.status, task.return_value) == (TaskResultStatus.SUCCESSFUL, ["acme", "acme"])


def test_a_task_that_was_written_before_the_tenant_closed_waits_too(acme, write_task, run_tasks):
    task = write_task(acme)
    suspend(acme)

    run_tasks()

    task.refresh_from_db()
    assert (task.status, task.run_after) == (TaskResultStatus.READY, HELD)


def test_another_tenants_tasks_and_the_operators_run_meanwhile(acme, globex, write_task, run_tasks):
    suspend(acme)
    write_task(acme)
    others = [write_task(globex), DBTaskResult.objects.get(pk=tasks.report_binding.enqueue().id)]

    run_tasks()

    assert [DBTaskResult.objects.get(pk=task.pk).return_value for task in others] == [
        ["globex", "globex"],
        ["public", "public"],
    ]


def test_one_tenants_tasks_are_not_released_with_anothers(acme, globex, write_task, run_tasks):
    for tenant in (acme, globex):
        suspend(tenant)
        write_task(tenant)
    run_tasks()

    resume(globex)

    run_after = dict(DBTaskResult.objects.values_list("args_kwargs__kwargs___tenant_schema", "run_after"))
    assert run_after["acme"] == HELD
    assert run_after["globex"] < HELD


def test_the_tasks_of_one_that_was_suspended_before_it_left_go_on_waiting(acme, write_task, run_tasks):
    suspend(acme, "unpaid")
    task = write_task(acme)
    schedule_deletion(acme)
    run_tasks()

    keep_tenant(acme)
    run_tasks()

    task.refresh_from_db()
    assert (acme.state, acme.state_reason) == ("suspended", "unpaid")
    assert (task.status, task.run_after) == (TaskResultStatus.READY, HELD)


def test_a_served_tenants_task_is_left_to_the_worker(acme, write_task):
    task = write_task(acme)
    task.claim("worker")

    is_held = hold(task)

    assert not is_held
    assert (task.status, task.worker_ids) == (TaskResultStatus.RUNNING, ["worker"])


def test_a_task_whose_tenant_is_served_again_meanwhile_is_left_to_the_worker(acme, write_task):
    def resume_meanwhile(execute, sql, *args):
        result = execute(sql, *args)
        if not resumed:
            resumed.append(True)
            resume(acme)
        return result

    resumed = []
    suspend(acme)
    task = write_task(acme)
    task.claim("worker")

    with connection.execute_wrapper(resume_meanwhile):
        is_held = hold(task)

    task.refresh_from_db()
    assert not is_held
    assert (task.status, task.worker_ids) == (TaskResultStatus.RUNNING, ["worker"])


def test_a_task_that_waits_has_not_used_up_a_worker(acme, write_task):
    suspend(acme)
    task = write_task(acme)
    for worker in ("first", "second"):
        task.claim(worker)

    hold(task)

    task.refresh_from_db()
    assert task.worker_ids == ["first"]
