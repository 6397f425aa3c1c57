from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection
from django.utils import timezone

from apps.operations.deletion.deleting import prove
from apps.operations.deletion.scheduling import schedule_deletion
from apps.operations.doctor.examining import examine
from apps.operations.doctor.finding import Level
from tenants.models import DeletionReport, Domain, Tenant
from tenants.provisioning.renaming import rename_tenant

LONG_AGO = timezone.now() - timedelta(minutes=20)


def execute(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)


def find(subject):
    return [each for each in examine() if each.subject == subject and each.level != Level.INFO]


def test_a_leaving_tenant_whose_time_has_not_come_is_healthy(acme):
    schedule_deletion(acme)

    assert find("acme") == []


def test_a_tenant_that_should_have_been_deleted_is_found(acme):
    schedule_deletion(acme)
    Tenant.objects.filter(pk=acme.pk).update(delete_after=LONG_AGO)

    (finding,) = find("acme")

    assert finding.level == Level.ERROR
    assert finding.message == f"It should have been deleted after {LONG_AGO:%Y-%m-%d %H:%M} UTC."
    assert finding.fix == "manage.py db_worker; or: manage.py delete_tenant acme --now"


def test_a_deletion_that_was_cut_short_is_found_unless_it_is_at_work(db):
    report = DeletionReport.objects.create(schema_name="gone", name="Gone", tenant_pk=1)
    at_work = find("gone")
    DeletionReport.objects.filter(pk=report.pk).update(deleted_at=LONG_AGO)

    (finding,) = find("gone")

    assert at_work == []
    assert finding.message == "Its deletion was cut short."
    assert finding.fix == "manage.py delete_tenant gone --now"


def test_what_is_left_of_a_deletion_is_found(deleted):
    clean = find("acme")
    execute("CREATE SCHEMA acme")
    prove(deleted)

    (finding,) = find("acme")

    assert clean == []
    assert finding.message == "Something of it is left."


def test_the_fix_of_a_tenant_with_redirects_alone_makes_its_own_host_primary(acme):
    rename_tenant(acme, "apex")
    Domain.objects.filter(tenant=acme).update(is_primary=False, redirects=True)

    (finding,) = find("acme")
    execute(finding.fix)

    assert finding.message == "It is active, but no domain leads to it."
    assert find("acme") == []
    assert acme.domains.get(is_primary=True).domain == "apex.localhost"


def test_the_fix_of_a_missing_domain_does_not_take_anothers(acme, globex):
    acme.domains.all().delete()
    globex.domains.create(domain="acme.localhost", is_primary=False)

    (finding,) = find("acme")
    execute(finding.fix)

    assert Domain.objects.get(domain="acme.localhost").tenant == globex


@pytest.mark.parametrize("primary", [1, 2, 3])
def test_the_migration_leaves_each_tenant_its_first_primary_domain(acme, globex, primary):
    execute("DROP INDEX public.tenants_one_primary_domain")
    for number in range(primary - 1):
        acme.domains.create(domain=f"{number}.example", is_primary=False)
    Domain.objects.update(is_primary=True)

    import_module("tenants.migrations.0003_life_cycle").keep_one_primary_domain(apps, None)

    assert set(Domain.objects.filter(is_primary=True).values_list("domain", flat=True)) == {
        "acme.localhost",
        "globex.localhost",
    }
