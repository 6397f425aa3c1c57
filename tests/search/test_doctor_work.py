import pytest
from django_tasks_db.models import DBTaskResult

from apps.search.doctor import check_tenants
from apps.search.models import IndexRun
from apps.search.set_aside import set_aside
from apps.search.tasks import start_run
from tenants.context import tenant_context
from tenants.doctor.finding import Scope

pytestmark = pytest.mark.usefixtures("embedder")


def examine(*tenants):
    return list(check_tenants(Scope(list(tenants), is_whole=False)))


def test_a_run_whose_task_waits_is_healthy(acme):
    with tenant_context(acme):
        start_run("articles", "default")

    assert examine(acme) == []


def test_a_run_whose_task_is_gone_is_found_and_goes_on(acme, globex):
    with tenant_context(acme):
        run = start_run("articles", "default")
    DBTaskResult.objects.all().delete()
    with tenant_context(globex):
        start_run("articles", "default")

    (finding,) = examine(acme, globex)

    assert finding.subject == "acme"
    assert finding.message == f"the run {run.pk} through the index 'articles' stands still: its task is gone."
    assert "written" in finding.mend()
    assert examine(acme, globex) == []


def test_what_is_paused_is_no_finding(acme):
    with tenant_context(acme):
        start_run("articles", "default")
        IndexRun.objects.update(state="paused")
    DBTaskResult.objects.all().delete()

    assert examine(acme) == []


def test_objects_set_aside_are_counted_and_nothing_of_them_is_told(acme, globex):
    with tenant_context(acme):
        set_aside("articles.article", ["1", "2"], "default", "secret reason", is_lasting=True)

    (finding,) = examine(acme, globex)

    assert finding.message == "space 'default': 2 objects could not be embedded and are set aside."
    assert "switch_space status --schema=acme" in finding.fix
    assert "secret" not in f"{finding}"
