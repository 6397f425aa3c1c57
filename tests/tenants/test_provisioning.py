from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django_tasks_db.models import DBTaskResult
from django_tenants.signals import post_schema_sync, schema_migrated, schema_pre_migration

from apps.accounts.invitations import make_owner
from tenants.context import get_current_tenant, owner_rights, tenant_context
from tenants.models import Domain, Tenant
from tenants.provisioning.life_cycle import (
    ProvisioningError,
    provision,
    register_tenant,
    resume,
    suspend,
)
from tests.registry import delete_tenant

from . import tasks

INITECH = {"name": "Initech", "subdomain": "initech", "owner_email": "bill@initech.example"}


def refuse_owner(tenant, **kwargs):
    get_user_model().objects.create_superuser(tenant.owner_email)
    raise LookupError(f"no owner {tenant.owner_email} at {tenant.url}")


def rename_meanwhile(tenant, **kwargs):
    # An operator's edit in the admin, while a worker provisions.
    with owner_rights():
        Tenant.objects.filter(pk=get_current_tenant().pk).update(name="Initrode", search_is_public=True)
    return f"{tenant.url}link"


@contextmanager
def connected(signal, receiver):
    signal.connect(receiver)
    yield
    signal.disconnect(receiver)


def provision_and_close(pk):
    try:
        return provision(Tenant.objects.get(pk=pk))
    finally:
        connection.close()


@pytest.fixture
def initech(db):
    tenant = register_tenant(**INITECH)
    provision(tenant)
    return tenant


@pytest.mark.parametrize("template", [True, False], ids=["from the template", "migrated"])
def test_provisioning_sends_the_signals_of_django_tenants(db, settings, template):
    settings.TENANT_PROVISIONING = {"TEMPLATE": template}
    heard = []

    def hear_synced(tenant, **kwargs):
        with tenant_context(tenant):
            heard.append(("synced", tenant.schema_name, get_user_model().objects.count()))

    def hear_begun(schema_name, **kwargs):
        heard.append(("begun", schema_name))

    def hear_migrated(schema_name, **kwargs):
        heard.append(("migrated", schema_name))

    with (
        connected(schema_pre_migration, hear_begun),
        connected(schema_migrated, hear_migrated),
        connected(post_schema_sync, hear_synced),
    ):
        provision(register_tenant(**INITECH))

    assert [each for each in heard if each[1] == "initech"] == [
        ("begun", "initech"),
        ("migrated", "initech"),
        ("synced", "initech", 0),
    ]


def test_a_receiver_that_raises_fails_the_provisioning(db):
    def refuse(tenant, **kwargs):
        raise LookupError("no plan for Initech")

    tenant = register_tenant(**INITECH)

    with connected(post_schema_sync, refuse), pytest.raises(ProvisioningError, match="no plan for Initech"):
        provision(tenant)


def test_provisioning_makes_schema_owner_and_domain(initech, tables_of):
    assert (initech.state, initech.state_reason) == ("active", "")
    assert initech.provisioned_at is not None
    assert [domain.domain for domain in initech.domains.all()] == ["initech.localhost"]
    assert tables_of("initech") == tables_of("acme")


def test_the_owner_is_made_in_the_tenants_schema_only_and_has_all_rights_there(initech, globex):
    with tenant_context(initech):
        owner = get_user_model().objects.get(email="bill@initech.example")

    assert (owner.is_active, owner.is_staff, owner.is_superuser) == (True, True, True)
    assert not owner.has_usable_password()
    assert not get_user_model().objects.filter(email="bill@initech.example").exists()
    with tenant_context(globex):
        assert not get_user_model().objects.filter(email="bill@initech.example").exists()


def test_the_owner_is_invited_to_the_tenants_own_site(db, mailoutbox):
    tenant = register_tenant(**INITECH)

    link = provision(tenant)

    assert link.startswith(tenant.url)
    assert mailoutbox[0].to == ["bill@initech.example"]
    assert link in mailoutbox[0].body


def test_provisioning_twice_is_harmless(initech, mailoutbox):
    mailoutbox.clear()

    link = provision(initech)

    assert (link, mailoutbox) == ("", [])
    assert Domain.objects.filter(tenant=initech).count() == 1
    with tenant_context(initech):
        assert get_user_model().objects.count() == 1


def test_provisioning_does_not_resume_a_suspended_tenant(initech):
    suspend(initech)

    provision(initech)

    assert initech.state == "suspended"


def test_a_failure_leaves_its_reason_and_no_schema_and_can_be_repeated(committed, owners_made_by, schemas):
    owners_made_by(refuse_owner)
    tenant = committed(register_tenant, **INITECH)
    try:
        with pytest.raises(
            ProvisioningError, match=r"Tenant 'initech' was not provisioned\. LookupError: no owner"
        ):
            committed(provision, tenant)

        failed = Tenant.objects.get(pk=tenant.pk)
        assert failed.state == "failed"
        assert (
            failed.state_reason
            == "LookupError: no owner bill@initech.example at http://initech.localhost:8000/"
        )
        assert "initech" not in schemas()
        assert not failed.domains.exists()

        owners_made_by(make_owner)
        committed(provision, failed)

        again = Tenant.objects.get(pk=tenant.pk)
        assert (again.state, again.state_reason) == ("active", "")
        assert "initech" in schemas()
    finally:
        committed(delete_tenant, tenant)


def test_two_workers_provision_a_tenant_once(committed):
    tenant = committed(register_tenant, **INITECH)
    try:
        with ThreadPoolExecutor(2) as workers:
            runs = [workers.submit(provision_and_close, tenant.pk) for _ in range(2)]
            links = sorted(run.result(timeout=120) for run in runs)

        assert links[0] == ""
        assert links[1].startswith("http://initech.localhost")
        assert Tenant.objects.get(pk=tenant.pk).state == "active"
    finally:
        committed(delete_tenant, tenant)
        operators = get_user_model().objects.filter(email=INITECH["owner_email"])
        made_operator, _ = committed(operators.all().delete)
    assert made_operator == 0


def test_an_operators_edit_during_provisioning_is_kept(db, owners_made_by):
    owners_made_by(rename_meanwhile)
    tenant = register_tenant(**INITECH)

    provision(tenant)

    tenant.refresh_from_db()
    assert (tenant.name, tenant.search_is_public, tenant.state) == ("Initrode", True, "active")


def test_deletion_leaves_nothing_of_the_tenant_and_all_of_another(acme, globex, schemas, tables_of):
    tables = tables_of("globex")
    with tenant_context(acme):
        tasks.report_binding.enqueue()
    with tenant_context(globex):
        kept = tasks.report_binding.enqueue()

    delete_tenant(acme)

    assert "acme" not in schemas()
    assert not Tenant.objects.filter(schema_name="acme").exists()
    assert not Domain.objects.filter(domain="acme.localhost").exists()
    assert [str(task.pk) for task in DBTaskResult.objects.ready()] == [kept.id]
    assert tables_of("globex") == tables
    assert Domain.objects.filter(tenant=globex).exists()


def test_deletion_removes_the_tenants_files_and_no_others(acme, globex, own_media):
    for tenant in (acme, globex):
        with tenant_context(tenant):
            default_storage.save("notes/2026/plan.txt", ContentFile(b"x"))

    delete_tenant(acme)

    files = [str(path.relative_to(own_media)) for path in own_media.rglob("*") if path.is_file()]
    assert files == ["globex/notes/2026/plan.txt"]


def test_a_suspended_tenant_keeps_its_reason_until_it_is_resumed(acme):
    suspend(acme, "unpaid")
    suspended = (acme.state, acme.state_reason)

    resume(acme)

    assert suspended == ("suspended", "unpaid")
    assert (acme.state, acme.state_reason) == ("active", "")


@pytest.mark.parametrize(
    ("state", "change", "fault"),
    [
        ("provisioning", suspend, "Soon is not active, so it cannot become suspended."),
        ("failed", suspend, "Soon is not active, so it cannot become suspended."),
        ("suspended", suspend, "Soon is not active, so it cannot become suspended."),
        ("active", resume, "Soon is not suspended, so it cannot become active."),
        ("failed", resume, "Soon is not suspended, so it cannot become active."),
    ],
)
def test_a_move_from_the_wrong_state_is_refused(make_tenant, state, change, fault):
    tenant = make_tenant("soon", state=state)

    with pytest.raises(ValidationError) as caught:
        change(tenant)

    tenant.refresh_from_db()
    assert caught.value.messages == [fault]
    assert tenant.state == state
