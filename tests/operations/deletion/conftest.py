import pytest
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from apps.operations.deletion.deleting import delete_with_proof
from tenants.context import tenant_context
from tenants.models import Tenant
from tests.tenants import tasks


@pytest.fixture(autouse=True)
def _own_cache(settings, tmp_path):
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": str(tmp_path)}}


@pytest.fixture
def furnish(db):
    """Give a tenant files, cached values and tasks."""

    def furnish(tenant):
        with tenant_context(tenant):
            for name in ("plan.txt", "notes/2026/plan.txt"):
                default_storage.save(name, ContentFile(b"x"))
            cache.set("greeting", tenant.name)
            return tasks.report_binding.enqueue()

    return furnish


@pytest.fixture
def deleted(acme):
    """The report of a deletion."""
    return delete_with_proof(acme)


@pytest.fixture
def make_due(db):
    def make_due(tenant):
        Tenant.objects.filter(pk=tenant.pk).update(delete_after=timezone.now())

    return make_due
