import pytest
from django.db import OperationalError
from django_tasks_db.models import DBTaskResult

from tenants.queue.retries import MAX_RETRIES, RETRIED, count_deaths, give_back, retry_later

from . import tasks

pytestmark = pytest.mark.usefixtures("db")

LOST = OperationalError("terminating connection due to administrator command")


def enqueue(worker_ids, status="RUNNING"):
    tasks.report_binding.enqueue()
    DBTaskResult.objects.update(worker_ids=worker_ids, status=status)
    return DBTaskResult.objects.get()


def test_a_task_whose_session_was_terminated_runs_again(committed, run_tasks):
    def run():
        result = tasks.lose_session.enqueue()
        try:
            with pytest.raises(OperationalError):  # so that the worker goes on as another
                run_tasks()
            rows = DBTaskResult.objects.filter(pk=result.id)
            first = rows.get()
            rows.update(run_after="2000-01-01T00:00Z")
            run_tasks()
            return first, rows.get()
        finally:
            DBTaskResult.objects.filter(pk=result.id).delete()

    first, second = committed(run)

    assert (first.status, first.worker_ids) == ("READY", [RETRIED])
    assert first.run_after > first.enqueued_at
    assert (second.status, second.return_value) == ("SUCCESSFUL", "public")


def test_losing_the_database_is_no_death_of_a_worker():
    row = enqueue(["one", RETRIED, "me"])

    give_back("me", LOST)
    give_back("another", LOST)

    row.refresh_from_db()
    assert (row.status, row.worker_ids, count_deaths(row)) == ("READY", ["one", RETRIED, RETRIED], 1)


@pytest.mark.parametrize(
    ("worker_ids", "error"), [(["me"], ValueError("no passing one")), ([RETRIED] * MAX_RETRIES, LOST)]
)
def test_other_faults_and_those_that_do_not_pass_are_not_retried(worker_ids, error):
    row = enqueue(worker_ids)

    assert not retry_later(row, error)

    row.refresh_from_db()
    assert (row.status, row.worker_ids) == ("RUNNING", worker_ids)
