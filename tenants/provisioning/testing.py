"""django-tenants' test case and client, for tenants that are provisioned."""

from typing import Any

from django.http import HttpResponse
from django.test import TestCase
from django_tenants.test import cases, client

from tenants.context import connection, tenant_context, unbound
from tenants.models import Domain, Tenant
from tenants.provisioning.erasing import erase_outside, erase_shared
from tenants.provisioning.life_cycle import provision


class TenantTestCase(cases.TenantTestCase):
    """Tests within a tenant of their own, which is provisioned for the class and erased after it.

    `setup_tenant`, `setup_domain`, `get_test_schema_name` and `get_test_tenant_domain` are django-tenants'
    hooks. Unlike its class, this one calls setUpTestData and loads `fixtures`, in the tenant.
    """

    tenant: Tenant
    domain: Domain

    @classmethod
    def setUpClass(cls) -> None:
        """Provision the tenant. Raises ProvisioningError."""
        schema, host = cls.get_test_schema_name(), cls.get_test_tenant_domain()
        cls.add_allowed_test_domain()
        with unbound():
            cls.tenant = Tenant(
                schema_name=schema,
                name=schema.title(),
                subdomain=schema.replace("_", "-"),
                owner_email="owner@example.com",
            )
            cls.setup_tenant(cls.tenant)
            cls.tenant.save()
            cls.addClassCleanup(cls._erase)
            provision(cls.tenant)
            cls.domain = Domain(tenant=cls.tenant, domain=host)
            cls.setup_domain(cls.domain)
            cls.domain.save()
        with tenant_context(cls.tenant):
            TestCase.setUpClass.__func__(cls)  # type: ignore[attr-defined]

    @classmethod
    def tearDownClass(cls) -> None:
        """End the class's transaction; the tenant goes afterwards, as it does after a set-up that fails."""
        TestCase.tearDownClass.__func__(cls)  # type: ignore[attr-defined]

    def run(self, result: Any = None) -> Any:
        """Run one test with the tenant bound."""
        with tenant_context(self.tenant):
            return super().run(result)

    @classmethod
    def _erase(cls) -> None:
        with unbound():
            erase_shared(cls.tenant.schema_name, cls.tenant.pk)
            cls.tenant.delete()
            erase_outside(cls.tenant.schema_name)
        cls.remove_allowed_test_domain()


class TenantClient(client.TenantClient):
    """django-tenants' client, after whose requests the tenant is bound that was bound before."""

    def request(self, **request: Any) -> HttpResponse:
        """As Django's; the end of a request unbinds its tenant."""
        with tenant_context(connection.tenant or self.tenant):
            return super().request(**request)
