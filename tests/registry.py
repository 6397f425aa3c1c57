"""Fixtures about the registry of tenants and about schemas."""

import pytest
from django.contrib.auth import get_user_model
from django.db import connection

from tenants.context import unbound
from tenants.models import Domain, Tenant
from tenants.provisioning.erasing import erase_outside, erase_shared
from tenants.signals import owner_needed


def make_public(tenant):
    tenant.search_is_public = True
    tenant.save()


def delete_tenant(tenant):
    """Remove all that a test has committed of a tenant."""
    with unbound():
        erase_shared(tenant.schema_name, tenant.pk)
        tenant.delete()
        erase_outside(tenant.schema_name)


@pytest.fixture
def make_tenant(db):
    """A row and a domain without a schema: all that the middleware reads."""

    def make(subdomain, *, state="active", **values):
        schema_name = values.pop("schema_name", subdomain.replace("-", "_"))
        values = {"name": subdomain.title(), "owner_email": f"owner@{subdomain}.example"} | values
        tenant = Tenant.objects.create(subdomain=subdomain, schema_name=schema_name, state=state, **values)
        Domain.objects.create(domain=tenant.hostname, tenant=tenant)
        return tenant

    return make


@pytest.fixture
def owners_made_by(monkeypatch):
    """Let a function answer `owner_needed`, and nobody else."""

    def replace(receiver):
        monkeypatch.setattr(owner_needed, "receivers", [])
        owner_needed.connect(receiver)

    return replace


@pytest.fixture
def operator(client, db):
    user = get_user_model().objects.create_superuser("operator@example.com")
    client.force_login(user)
    return client


@pytest.fixture
def other_session(db):
    other = connection.copy()
    yield other
    other.close()


@pytest.fixture
def column(db):
    """Run a query; return the values of its only column, sorted."""

    def select(sql, *parameters):
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return sorted(row[0] for row in cursor.fetchall())

    return select


@pytest.fixture
def schemas(column):
    return lambda: column("SELECT nspname FROM pg_namespace")


@pytest.fixture
def tables_of(column):
    return lambda schema: column("SELECT tablename FROM pg_tables WHERE schemaname = %s", schema)
