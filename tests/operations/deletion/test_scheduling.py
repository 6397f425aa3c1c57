from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from apps.operations.deletion.deleting import delete_due
from apps.operations.deletion.schedules import delete_overdue_tenants
from apps.operations.deletion.scheduling import keep_tenant, schedule_deletion
from tenants.context import tenant_context
from tenants.models import DeletionReport, Tenant
from tenants.provisioning.life_cycle import provision, resume, suspend

DELETE = "apps.operations.deletion.tasks.delete_due_tenant"


@pytest.fixture
def get(client, db):
    return lambda path: client.get(path, headers={"host": "acme.localhost"})


def get_fault(change, *args):
    with pytest.raises(ValidationError) as caught:
        change(*args)
    return caught.value.messages


def test_a_leaving_tenant_is_closed_at_once_and_deleted_by_a_task_after_the_grace(acme, settings):
    settings.DELETION_GRACE_DAYS = 3
    before = timezone.now() + timedelta(days=3)

    schedule_deletion(acme)

    task = DBTaskResult.objects.get()
    assert (acme.state, acme.state_before) == ("leaving", "active")
    assert before <= acme.delete_after <= timezone.now() + timedelta(days=3)
    assert (task.task_path, task.args_kwargs["args"]) == (DELETE, [acme.pk])
    assert task.run_after == acme.delete_after


@pytest.mark.parametrize("path", ["/", "/admin/", "/accounts/login/", "/api/search?q=x"])
def test_every_address_of_a_leaving_tenant_is_gone(get, acme, path):
    schedule_deletion(acme)

    response = get(path)

    assert response.status_code == 410
    assert b"This site is closed" in response.content
    assert b"Retry-After" not in response.headers


def test_a_leaving_tenants_redirect_answers_the_refusal(get, acme):
    acme.domains.create(domain="search.acme.example", is_primary=True)
    acme.domains.filter(domain="acme.localhost").update(redirects=True)
    schedule_deletion(acme)

    assert get("/").status_code == 410


@pytest.mark.parametrize("prepare", [lambda tenant: None, lambda tenant: suspend(tenant, "unpaid")])
def test_a_kept_tenant_is_what_it_was(get, acme, prepare):
    prepare(acme)
    before = (acme.state, acme.state_reason, get("/").status_code)
    schedule_deletion(acme)

    keep_tenant(acme)

    assert (acme.state, acme.state_reason, get("/").status_code) == before
    assert (acme.state_before, acme.delete_after) == ("", None)


def test_the_waiting_task_of_a_kept_tenant_goes_and_no_others(acme, globex):
    schedule_deletion(globex)
    schedule_deletion(acme)

    keep_tenant(acme)

    assert [task.args_kwargs["args"] for task in DBTaskResult.objects.all()] == [[globex.pk]]


def test_a_task_that_a_worker_had_taken_before_the_tenant_was_kept_does_nothing(acme, schemas):
    schedule_deletion(acme, 0)
    keep_tenant(acme)

    reports = delete_due(acme.pk)

    assert (reports, "acme" in schemas()) == ([], True)
    assert not DeletionReport.objects.exists()


def test_a_task_does_not_come_before_the_later_date(acme, run_tasks):
    schedule_deletion(acme, 0)
    schedule_deletion(acme, 7)

    run_tasks()

    assert Tenant.objects.get(pk=acme.pk).state == "leaving"


def test_a_leaving_tenant_gets_another_date_and_remembers_what_it_was(acme, run_tasks):
    suspend(acme)
    schedule_deletion(acme)

    schedule_deletion(acme, 0)

    assert acme.delete_after <= timezone.now()
    assert acme.state_before == "suspended"


@pytest.mark.parametrize("days", [-1, 3651, 1e12, float("nan")])
def test_impossible_days_are_refused(acme, days):
    assert get_fault(schedule_deletion, acme, days) == [
        f"The days of grace are {days}; they must be 0 to 3650."
    ]

    acme.refresh_from_db()
    assert acme.state == "active"


@pytest.mark.parametrize("state", ["provisioning", "failed"])
def test_what_was_never_provisioned_has_nothing_to_keep(make_tenant, state):
    tenant = make_tenant("soon", state=state)

    fault = get_fault(schedule_deletion, tenant)

    assert fault == [f"Soon is {state}: there is nothing that could be kept. Delete it at once."]
    assert not DBTaskResult.objects.exists()


def test_a_tenant_that_stays_cannot_be_kept(acme):
    assert get_fault(keep_tenant, acme) == ["Acme is not leaving, so there is nothing to undo."]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (suspend, "Acme is not active, so it cannot become suspended."),
        (resume, "Acme is not suspended, so it cannot become active."),
    ],
)
def test_a_leaving_tenant_is_neither_suspended_nor_resumed(acme, change, fault):
    schedule_deletion(acme)

    assert get_fault(change, acme) == [fault]


def test_provisioning_does_not_open_a_leaving_tenant(acme):
    acme.provisioned_at = timezone.now()
    acme.save()
    schedule_deletion(acme)

    provision(acme)

    assert acme.state == "leaving"


def test_a_tenant_leaves_and_is_kept_while_it_is_bound(acme):
    with tenant_context(acme):
        schedule_deletion(acme)
        keep_tenant(acme)

    assert Tenant.objects.get(pk=acme.pk).state == "active"


def test_deletion_and_rescue_are_recorded(acme, deeds):
    scheduled = deeds(lambda: schedule_deletion(acme))
    kept = deeds(lambda: keep_tenant(acme))

    assert [line.partition(" what=")[2] for line in (*scheduled, *kept)] == [
        f'"schedule deletion" whose=acme after={scheduled[0].rpartition("after=")[2]}',
        "keep whose=acme",
    ]


def test_a_deletion_whose_task_was_lost_is_written_again_once_it_is_due(acme, globex):
    for tenant in (acme, globex):
        schedule_deletion(tenant, days=1)
    DBTaskResult.objects.all().delete()
    Tenant.objects.filter(pk=acme.pk).update(delete_after=timezone.now() - timedelta(minutes=1))

    delete_overdue_tenants()
    delete_overdue_tenants()

    task = DBTaskResult.objects.get()
    assert (task.task_path, task.args_kwargs["args"]) == (DELETE, [acme.pk])
