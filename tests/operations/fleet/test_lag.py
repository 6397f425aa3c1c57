from django.db import connection

from apps.operations.deletion.scheduling import schedule_deletion
from apps.operations.doctor.examining import examine
from apps.operations.doctor.finding import Level


def find_lag(schema=None):
    return [finding for finding in examine(schema) if finding.subject == "migrations"]


def test_a_half_migrated_tenant_is_found(acme, globex):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM acme.django_migrations WHERE app = 'notes'")

    (finding,) = find_lag()

    assert (finding.level, finding.message) == (Level.ERROR, "1 of 2 tenants lag: acme")
    assert finding.fix == "manage.py migrate_schemas --schema=acme"
    assert find_lag("globex") == []


def test_a_leaving_tenant_is_still_migrated(acme, globex):
    schedule_deletion(acme)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM acme.django_migrations WHERE app = 'notes'")

    (finding,) = find_lag()

    assert finding.message == "1 of 2 tenants lag: acme"
