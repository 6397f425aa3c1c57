import pytest
from django.apps import apps
from django.tasks import Task
from django.utils import timezone
from django.utils.module_loading import import_string
from django_tasks_db.models import DBTaskResult

from apps.operations.deletion.scheduling import keep_tenant, schedule_deletion
from apps.operations.deletion.tasks import delete_due_tenant
from tenants.context import tenant_context
from tenants.queue.rows import SCHEMA_KEY, count_traces, find_rows, list_moved_tasks
from tests.tenants.tasks import report_binding

OLD = "tenants.tasks.delete_due_tenant"


@pytest.fixture
def write_row(db):
    """Write a row as a former version of the template did."""

    def write(path, *args, schema="public"):
        return DBTaskResult.objects.create(
            task_path=path,
            args_kwargs={"args": args, "kwargs": {SCHEMA_KEY: schema}},
            queue_name="default",
            backend_name="default",
            run_after=timezone.now(),
        )

    return write


@pytest.fixture
def moved(monkeypatch):
    """Say that a task of the tests has moved, and return its old path."""
    config = apps.get_app_config("tenants")
    tasks = {"tests.notes.report": report_binding.module_path}
    monkeypatch.setattr(config, "moved_tasks", tasks, raising=False)
    return "tests.notes.report"


@pytest.mark.parametrize(("old", "new"), list_moved_tasks().items())
def test_every_moved_task_is_found_by_its_old_path(write_row, old, new):
    row = write_row(old)

    read = DBTaskResult.objects.get(pk=row.pk)

    assert isinstance(import_string(new), Task)
    assert read.task.module_path == new


def test_no_path_is_both_old_and_new():
    moved = list_moved_tasks()

    assert moved.keys().isdisjoint(moved.values())


def test_a_worker_runs_a_task_that_was_written_under_its_old_path(acme, write_row, moved, run_tasks):
    row = write_row(moved, schema="acme")

    run_tasks()

    row.refresh_from_db()
    assert (row.status, row.return_value) == ("SUCCESSFUL", ["acme", "acme"])


def test_its_result_is_read(acme, write_row, moved, run_tasks):
    row = write_row(moved, schema="acme")
    run_tasks()

    with tenant_context(acme):
        result = report_binding.get_result(str(row.pk))

    assert result.return_value == ["acme", "acme"]


def test_a_deferred_path_is_not_read(write_row, moved, django_assert_num_queries):
    row = write_row(moved)

    with django_assert_num_queries(1):
        DBTaskResult.objects.only("pk").get(pk=row.pk)


def test_rows_are_found_by_task_tenant_and_arguments_whatever_the_path(write_row, moved):
    row = write_row(moved, 7, schema="acme")
    write_row(OLD, 7, schema="acme")
    write_row(moved, 8, schema="acme")
    write_row(moved, 7, schema="globex")

    assert find_rows(report_binding, schema="acme", args=[7]).get() == row


def test_keeping_a_tenant_removes_the_task_that_was_written_under_the_old_path(acme, write_row):
    schedule_deletion(acme)
    DBTaskResult.objects.all().delete()
    write_row(OLD, acme.pk)

    keep_tenant(acme)

    assert not DBTaskResult.objects.exists()


def test_a_task_with_the_key_of_a_tenant_is_a_trace_of_it_under_both_paths(acme, write_row):
    write_row(OLD, acme.pk)
    write_row(delete_due_tenant.module_path, acme.pk)
    write_row(report_binding.module_path, acme.pk)

    assert count_traces("acme", acme.pk) == 2
