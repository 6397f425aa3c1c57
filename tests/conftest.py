"""Two real tenants on a real PostgreSQL, made once a session; each test is rolled back."""

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django_tenants.utils import schema_context

from apps.search.storage.pgvector.searching.query_vectors import forget_query_vectors
from apps.search.storage.pgvector.tables.ann_index import forget_ann_indexes
from tenants.context import owner_rights, tenant_context
from tenants.models import Tenant
from tenants.provisioning.life_cycle import provision, register_tenant
from tenants.provisioning.roles import create_role
from tests.optional import OPTIONAL, list_left_out

pytest_plugins = ["tests.deeds", "tests.workers", "tests.registry"]
if apps.is_installed("apps.operations.isolation"):
    pytest_plugins.append("apps.operations.isolation.testing")
else:

    @pytest.fixture
    def no_leak():
        pytest.skip("apps.operations.isolation is left out")


collect_ignore = [path for app in list_left_out() for path in OPTIONAL[app]]


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable():
    """What a test says of lone surrogates ends the worker that is to send it to pytest's main process."""
    return _escape((yield))


def _escape(data):
    if isinstance(data, dict):
        return {_escape(key): _escape(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return type(data)(map(_escape, data))
    return data.encode(errors="backslashreplace").decode() if isinstance(data, str) else data


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        for name in ("Acme", "Globex"):
            if not Tenant.objects.filter(name=name).exists():
                tenant = register_tenant(
                    name=name, subdomain=name.lower(), owner_email=f"owner@{name.lower()}.example"
                )
                provision(tenant)
            else:
                call_command("migrate_schemas", schema_name=name.lower(), verbosity=0)
                create_role(Tenant.objects.get(name=name))


@pytest.fixture(autouse=True)
def _start_unbound():
    connection.set_schema_to_public()
    yield
    connection.set_schema_to_public()


@pytest.fixture(autouse=True)
def own_media(settings, tmp_path):
    """Deleting a tenant deletes its files, which no rollback brings back."""
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.STORAGES = settings.STORAGES | {}  # the storage remembers the folder it began with
    return settings.MEDIA_ROOT


@pytest.fixture(autouse=True)
def _no_rate_limits(settings):
    """All tests come from one address; those of the limits set them."""
    settings.RATE_LIMITS = {}


@pytest.fixture(autouse=True)
def _no_known_ann_indexes():
    """What a process believes of the catalog outlives the rollback, and would be the next test's answer."""
    forget_ann_indexes()


@pytest.fixture(autouse=True)
def _no_known_queries():
    """What one test searched for would need no embedder in the next."""
    forget_query_vectors()


@pytest.fixture
def acme(db):
    return _get_tenant("acme")


@pytest.fixture
def globex(db):
    return _get_tenant("globex")


def _get_tenant(schema):
    with schema_context("public"):  # a tenant that is bound already may not read the registry
        return Tenant.objects.get(schema_name=schema)


@pytest.fixture
def as_owner():
    """For tests that look into the queue or make tables while a tenant is bound, as its role may not."""
    with owner_rights():
        yield


@pytest.fixture
def in_acme(acme):
    with tenant_context(acme):
        yield acme
