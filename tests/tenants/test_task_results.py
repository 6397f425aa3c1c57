import pytest
from asgiref.sync import async_to_sync
from django.db import Error, connection, transaction
from django.tasks import TaskResultStatus
from django.tasks.exceptions import TaskResultDoesNotExist, TaskResultMismatch
from django_tasks_db.models import DBTaskResult

from tenants.context import tenant_context, unbound
from tenants.queue.backend import SCHEMA_KEY

from .tasks import bind_and_fail, describe_binding, report_arguments, report_binding


def get_result(task, result_id):
    return task.get_result(result_id)


def aget_result(task, result_id):
    return async_to_sync(task.aget_result)(result_id)


def refresh(result):
    result.refresh()


def arefresh(result):
    async_to_sync(result.arefresh)()


BOTH_WAYS = pytest.mark.parametrize("get", [get_result, aget_result])


@pytest.fixture
def written(acme):
    with tenant_context(acme):
        return report_binding.enqueue()


@BOTH_WAYS
def test_a_tenant_reads_its_own_result_and_stays_bound(acme, written, run_tasks, get):
    run_tasks()

    with tenant_context(acme):
        result = get(report_binding, written.id)
        bound = describe_binding()

    assert (result.status, result.return_value) == (TaskResultStatus.SUCCESSFUL, ["acme", "acme"])
    assert bound == ["acme", "acme"]


@BOTH_WAYS
def test_another_tenant_finds_no_such_result(acme, globex, written, get):
    with tenant_context(globex), pytest.raises(TaskResultDoesNotExist, match=written.id):
        get(report_binding, written.id)


@BOTH_WAYS
def test_a_tenant_finds_no_result_of_the_operators(acme, get):
    operators = report_binding.enqueue()

    with tenant_context(acme), pytest.raises(TaskResultDoesNotExist, match=operators.id):
        get(report_binding, operators.id)


@BOTH_WAYS
def test_operators_find_the_results_of_all(written, get):
    operators = report_binding.enqueue()

    found = [get(report_binding, result.id) for result in (written, operators)]

    assert [result.id for result in found] == [written.id, operators.id]
    assert [result.kwargs[SCHEMA_KEY] for result in found] == ["acme", "public"]


@BOTH_WAYS
@pytest.mark.parametrize("bad", ["", "1", "x' OR 1=1", "00000000-0000-0000-0000-000000000000"])
def test_an_id_of_no_task_is_answered_as_another_tenants(in_acme, get, bad):
    with pytest.raises(TaskResultDoesNotExist):
        get(report_binding, bad)


@BOTH_WAYS
def test_a_result_of_another_task_is_a_mismatch_at_home_only(acme, globex, written, get):
    with tenant_context(acme), pytest.raises(TaskResultMismatch, match="report_binding"):
        get(report_arguments, written.id)
    with tenant_context(globex), pytest.raises(TaskResultDoesNotExist):
        get(report_arguments, written.id)


@pytest.mark.parametrize("read_again", [refresh, arefresh])
def test_a_result_is_refreshed_at_home_and_not_elsewhere(acme, globex, written, run_tasks, read_again):
    run_tasks()

    with tenant_context(globex), pytest.raises(TaskResultDoesNotExist):
        read_again(written)
    status_elsewhere = written.status
    with tenant_context(acme):
        read_again(written)

    assert status_elsewhere == TaskResultStatus.READY
    assert written.return_value == ["acme", "acme"]


def test_a_failure_is_told_to_its_tenant(acme, run_tasks):
    with tenant_context(acme):
        result = bind_and_fail.enqueue("globex")
    run_tasks()

    with tenant_context(acme):
        result.refresh()

    assert result.errors[0].exception_class_path == "builtins.ValueError"


def test_the_role_of_a_tenant_still_cannot_read_the_queue(in_acme, written):
    with pytest.raises(Error, match="permission denied"), transaction.atomic():
        DBTaskResult.objects.filter(pk=written.id).exists()

    assert report_binding.get_result(written.id).id == written.id


def test_without_roles_the_results_are_as_separate(acme, globex, written, settings):
    settings.TENANT_ROLES = False
    connection.search_path_set_schemas = None

    with tenant_context(globex), pytest.raises(TaskResultDoesNotExist):
        report_binding.get_result(written.id)
    with tenant_context(acme):
        assert report_binding.get_result(written.id).id == written.id


def test_a_tenant_cannot_write_a_task_in_anothers_name(acme, globex):
    with tenant_context(acme):
        result = report_arguments.enqueue(**{SCHEMA_KEY: "globex"})

    assert result.kwargs[SCHEMA_KEY] == "acme"
    with tenant_context(globex), pytest.raises(TaskResultDoesNotExist):
        report_arguments.get_result(result.id)


def test_operators_may_write_a_tenants_task_again(acme, written):
    with unbound():
        again = report_binding.enqueue(*written.args, **written.kwargs)

    with tenant_context(acme):
        assert report_binding.get_result(again.id).id == again.id
