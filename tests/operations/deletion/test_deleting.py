import json

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.db import ProgrammingError, connection
from django_tasks_db.models import DBTaskResult

from apps.operations.deletion.deleting import BusyTenantError, delete_due, delete_with_proof, finish_deletion
from apps.operations.deletion.scheduling import keep_tenant, schedule_deletion
from apps.operations.deletion.tasks import delete_due_tenant
from apps.search.documents import EmbeddedDocument
from apps.search.storage.pgvector import PgVectorProvider
from tenants.context import tenant_context
from tenants.locks import Lock, session_lock
from tenants.models import DeletionReport, Domain, Tenant
from tenants.provisioning.life_cycle import choose_schema_name, register_tenant
from tenants.provisioning.roles import list_roles
from tenants.tasks import provision_tenant
from tests.tenants import tasks


@pytest.fixture
def start_task(db):
    """A task that a worker has claimed."""

    def start(tenant, worker_id):
        with tenant_context(tenant):
            result = tasks.report_binding.enqueue()
        DBTaskResult.objects.get(pk=result.id).claim(worker_id)

    return start


def test_nothing_is_left_and_the_report_says_so(acme, furnish, own_media, schemas):
    pk, task = acme.pk, furnish(acme)
    provision_tenant.enqueue(pk)

    report = delete_with_proof(acme)

    assert (report.schema_name, report.name, report.tenant_pk) == ("acme", "Acme", pk)
    assert report.is_clean
    assert report.proved_at is not None
    assert "acme" not in schemas()
    assert "acme" not in list_roles()
    assert not Tenant.objects.filter(pk=pk).exists()
    assert not Domain.objects.filter(domain="acme.localhost").exists()
    assert not DBTaskResult.objects.filter(pk=task.id).exists()
    assert not DBTaskResult.objects.exists()
    assert not (own_media / "acme").exists()
    assert not [key for key in cache._cache if "acme" in key]


def test_every_place_is_looked_at(deleted):
    verdicts = {(look["place"], look["verdict"]) for look in deleted.looks}

    assert verdicts == {
        ("schema", "gone"),
        ("registry", "gone"),
        ("role", "gone"),
        ("tasks", "gone"),
        ("locks", "gone"),
        ("sessions", "gone"),
        ("files", "gone"),
        ("cache", "gone"),
        ("cache", "unseen"),
        ("operators' log", "kept"),
        ("backups", "unseen"),
        ("log lines, mails", "unseen"),
    }


def test_a_schema_that_holds_the_extension_is_not_dropped_before_it_is_moved(acme, globex, schemas):
    vector = [1.0] + [0.0] * 383
    with tenant_context(globex):
        PgVectorProvider().add([EmbeddedDocument("k", "text", {}, vector)])
    connection.cursor().execute("ALTER EXTENSION vector SET SCHEMA acme")

    with pytest.raises(ValidationError) as caught:
        delete_with_proof(acme)
    kept = "acme" in schemas()
    connection.cursor().execute(caught.value.message.partition("Run: ")[2])
    report = delete_with_proof(acme)

    assert caught.value.message.startswith("The extension vector is in the schema 'acme'; dropping it would")
    assert kept
    assert report.is_clean
    with tenant_context(globex):
        assert [row.document_key for row in PgVectorProvider().nearest(vector)[:1]] == ["k"]


def test_another_tenant_loses_nothing(acme, globex, furnish, own_media, tables_of):
    for tenant in (acme, globex):
        furnish(tenant)
    tables, files = tables_of("globex"), sorted((own_media / "globex").rglob("*"))

    delete_with_proof(acme)

    assert tables_of("globex") == tables
    assert sorted((own_media / "globex").rglob("*")) == files
    assert "globex" in list_roles()
    assert [row.args_kwargs["kwargs"]["_tenant_schema"] for row in DBTaskResult.objects.all()] == ["globex"]
    with tenant_context(globex):
        assert cache.get("greeting") == "Globex"
        assert default_storage.exists("plan.txt")


@pytest.mark.parametrize(
    "sql", ["SELECT * FROM {table}", "DELETE FROM {table}", "INSERT INTO {table} DEFAULT VALUES"]
)
def test_another_tenant_cannot_learn_of_the_report(deleted, globex, sql):
    table = f"public.{DeletionReport._meta.db_table}"

    with (
        tenant_context(globex),
        pytest.raises(ProgrammingError, match="permission denied for table"),
        connection.cursor() as cursor,
    ):
        cursor.execute(sql.format(table=table))


def test_the_report_names_the_tenant_and_nobody_in_it(acme, furnish):
    furnish(acme)
    with tenant_context(acme):
        get_user_model().objects.create_superuser("boss@acme.example")

    text = json.dumps(delete_with_proof(acme).as_dict())

    assert "@" not in text
    assert "plan.txt" not in text


def test_the_task_deletes_a_tenant_whose_time_has_come(acme, run_tasks, schemas):
    schedule_deletion(acme, 0)

    run_tasks()

    row = DBTaskResult.objects.get()
    assert (row.status, row.args_kwargs["args"]) == ("SUCCESSFUL", [acme.pk])
    assert "acme" not in schemas()
    assert DeletionReport.objects.get().is_clean


def test_running_the_task_twice_is_harmless(acme, globex, make_due):
    schedule_deletion(acme)
    make_due(acme)
    pk = acme.pk

    reports = [delete_due(pk), delete_due(pk)]

    assert [len(found) for found in reports] == [1, 0]
    assert DeletionReport.objects.count() == 1


def test_the_waiting_task_goes_with_a_tenant_that_is_deleted_before_its_time(acme):
    schedule_deletion(acme)

    delete_with_proof(acme)

    assert not DBTaskResult.objects.exists()


def test_what_was_never_provisioned_is_deleted_at_once(db):
    tenant = register_tenant(name="Initech", subdomain="initech", owner_email="bill@initech.example")

    report = delete_with_proof(tenant)

    assert report.is_clean
    assert not Tenant.objects.filter(schema_name="initech").exists()


def test_a_tenant_is_deleted_while_it_is_bound(acme):
    with tenant_context(acme):
        report = delete_with_proof(acme)

    assert report.is_clean


def test_a_running_task_is_not_overtaken(acme, start_task, schemas):
    start_task(acme, "alive")

    with (
        session_lock(Lock.WORKER, "alive"),
        pytest.raises(BusyTenantError, match="Workers are at 1 tasks of the schema 'acme'"),
    ):
        delete_with_proof(acme)

    acme.refresh_from_db()
    assert (acme.state, "acme" in schemas()) == ("leaving", True)
    keep_tenant(acme)
    assert acme.state == "active"


def test_a_task_of_a_dead_worker_is_not_waited_for(acme, start_task):
    start_task(acme, "dead")

    assert delete_with_proof(acme).is_clean


def test_the_deletion_tries_again_while_a_task_is_running(acme, start_task, run_tasks):
    start_task(acme, "alive")
    schedule_deletion(acme, 0)

    with session_lock(Lock.WORKER, "alive"):
        run_tasks()

    waiting = DBTaskResult.objects.get(task_path=delete_due_tenant.module_path, status="READY")
    assert waiting.args_kwargs["args"] == [acme.pk]
    assert 50 < (waiting.run_after - waiting.enqueued_at).total_seconds() <= 61


def test_a_schema_that_a_restore_has_set_aside_goes_too_but_not_another_tenants(acme, make_tenant, schemas):
    make_tenant("other", schema_name="acme_replaced_20260102030405")
    with connection.cursor() as cursor:
        for name in ("acme_replaced_20260102030405", "acme_replaced_20260102030406", "acme_replaced_part"):
            cursor.execute(f"CREATE SCHEMA {name}")

    report = delete_with_proof(acme)

    left = [name for name in schemas() if name.startswith("acme")]
    assert left == ["acme_replaced_20260102030405", "acme_replaced_part"]
    look = next(look for look in report.looks if look["place"] == "schema")
    assert (look["verdict"], look["remark"]) == ("left", "acme_replaced_part")
    assert look["fix"] == 'DROP SCHEMA "acme_replaced_part" CASCADE;'


def test_a_task_of_the_operators_that_names_the_schema_goes_too(acme, globex):
    tasks.report_arguments.enqueue({"schemas": ["acme"]})
    kept = [tasks.report_arguments.enqueue(value) for value in ("acme 2", "globex", acme.pk)]
    with tenant_context(globex):
        kept.append(tasks.report_arguments.enqueue("acme"))  # another's own word

    delete_with_proof(acme)

    assert {str(row.pk) for row in DBTaskResult.objects.all()} == {result.id for result in kept}


def test_the_name_of_a_deleted_schema_is_not_given_away_again(deleted):
    assert choose_schema_name("acme") == "acme_2"


def test_a_report_does_not_touch_a_tenant_that_has_its_schema(deleted, make_tenant, schemas):
    make_tenant("new", schema_name="acme")
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA acme")

    with pytest.raises(ValidationError, match=r"Another tenant has the schema of Acme \(acme\)"):
        finish_deletion(deleted)

    assert "acme" in schemas()
