"""A tenant in the middle of a switch: exported, suspended, deleted."""

import pytest
from django_tasks_db.models import DBTaskResult

from apps.operations.bundles.exporting import export_tenant
from apps.operations.bundles.importing import import_tenant
from apps.operations.deletion.deleting import delete_with_proof
from apps.search.models import IndexRun
from apps.search_switching.models import SpaceSwitch
from apps.search_switching.steps import start_switch
from tenants.context import connection, owner_rights, tenant_context
from tenants.models import Tenant
from tenants.provisioning.life_cycle import resume, suspend
from tenants.queue.held_tasks import HELD
from tests.search_switching import work
from tests.search_switching.work import make, titles

pytestmark = pytest.mark.usefixtures("embedder")


@pytest.fixture
def in_mid_switch(acme):
    with tenant_context(acme), owner_rights():
        for number in range(40):
            make(f"title{number:02}")
        work.run_tasks()
        start_switch("other")
    return acme


def test_a_bundle_brings_the_switch_along_and_it_goes_on(in_mid_switch, tmp_path):
    path = tmp_path / "acme.tar.gz"
    export_tenant(in_mid_switch, path)
    DBTaskResult.objects.all().delete()

    copy = import_tenant(path, changes={"subdomain": "copy", "name": "Copy"}).tenant
    with tenant_context(copy), owner_rights():
        work.run_tasks()

        assert SpaceSwitch.objects.get().state == "ready"
        assert titles("other") == titles("default") != []
    with tenant_context(in_mid_switch):
        assert (SpaceSwitch.objects.get().state, titles("other")) == ("filling", [])


def test_suspended_the_filling_waits_and_goes_on_when_it_is_resumed(in_mid_switch, run_tasks):
    suspend(in_mid_switch)
    run_tasks()
    waiting = DBTaskResult.objects.filter(run_after=HELD)
    assert waiting.filter(task_path="apps.search.indexing.tasks.continue_run").count() == 2
    with tenant_context(in_mid_switch):
        assert titles("other") == []

    resume(in_mid_switch)
    run_tasks()

    with tenant_context(in_mid_switch):
        assert SpaceSwitch.objects.get().state == "ready"
        assert IndexRun.objects.get(index_name="notes").state == "done"


def test_deleted_nothing_of_the_switch_is_left(in_mid_switch):
    with tenant_context(in_mid_switch):
        connection.check_constraints()  # as at the end of a transaction; the test is all in one

    report = delete_with_proof(in_mid_switch)

    assert report.is_clean
    assert not Tenant.objects.filter(schema_name="acme").exists()
    assert not DBTaskResult.objects.filter(args_kwargs__kwargs__contains={"_tenant_schema": "acme"}).exists()
