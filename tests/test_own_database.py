from uuid import uuid4

import pytest
from django.db import connection
from django_tasks_db.models import DBTaskResult

from tenants.context import tenant_context
from tenants.postgresql.role_names import get_group_name
from tenants.provisioning.life_cycle import provision, register_tenant
from tests.own_database import own_database
from tests.tenants.tasks import report_binding
from tests.workers import PATIENCE, get_test_database_url


def count_waiting():
    return DBTaskResult.objects.filter(status="READY").count()


def test_only_its_own_worker_takes_the_tasks_of_its_tenants(committed, start_worker):
    def look():
        other = get_test_database_url()
        with own_database("own"):
            tenant = register_tenant(name="Own", subdomain="own", owner_email="o@own.example")
            provision(tenant)
            with tenant_context(tenant):
                report_binding.enqueue()
            seen = [count_waiting()]
            for url in (other, get_test_database_url()):
                start_worker("--batch", DATABASE_URL=url, EMAIL_URL="dummymail://").wait(PATIENCE)
                seen.append(count_waiting())
            return seen

    assert committed(look) == [1, 1, 0]


def test_it_is_dropped_with_its_roles_whatever_happens(committed, column):
    def fail():
        with own_database("own") as name:
            provision(register_tenant(name="Own", subdomain="own", owner_email="o@own.example"))
            names.append(name)
            raise RuntimeError("an accident")

    names = []
    with pytest.raises(RuntimeError, match="an accident"):
        committed(fail)

    (name,) = names
    assert column("SELECT datname FROM pg_database WHERE datname = %s", name) == []
    assert column("SELECT rolname FROM pg_roles WHERE starts_with(rolname, %s)", get_group_name(name)) == []


def test_who_may_not_make_one_is_told_what_to_do(committed, monkeypatch):
    def make():
        with own_database("own"):
            raise AssertionError("it was made")

    def execute(statement):
        with connection.cursor() as cursor:
            cursor.execute(statement)

    role = f"weak_{uuid4().hex}"
    committed(execute, f"CREATE ROLE {role} LOGIN")
    try:
        monkeypatch.setitem(connection.settings_dict, "USER", role)
        with pytest.raises(SystemExit) as ended:
            committed(make)
    finally:
        monkeypatch.undo()
        committed(execute, f"DROP ROLE {role}")

    assert "permission denied to create database" in str(ended.value)
    assert "Leave DATABASE_URL empty for the embedded server" in str(ended.value)
