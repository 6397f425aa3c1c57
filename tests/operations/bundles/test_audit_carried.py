import pytest
from django.db import ProgrammingError

from apps.audit.models import Deed
from apps.operations.bundles.exporting import export_tenant
from apps.operations.bundles.importing import import_tenant
from tenants.audit import record
from tenants.context import tenant_context


def read_deeds(tenant):
    with tenant_context(tenant):
        return [str(deed) for deed in Deed.objects.all()]


def test_a_bundle_takes_the_log_along(acme, tmp_path):
    with tenant_context(acme):
        record("issue key", "one")
    export_tenant(acme, tmp_path / "b.tar.gz")

    changes = {"name": "Copy", "subdomain": "copy"}
    copy = import_tenant(tmp_path / "b.tar.gz", changes=changes).tenant

    assert read_deeds(copy)[-1] == read_deeds(acme)[-1]
    with tenant_context(copy), pytest.raises(ProgrammingError, match="permission denied"):
        Deed.objects.all().delete()
