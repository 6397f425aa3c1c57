import unittest

import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django_tenants.test import cases
from django_tenants.utils import schema_exists

from tenants.models import Domain, Tenant
from tenants.provisioning.testing import TenantClient, TenantTestCase
from tests.models_app.models import Note


@pytest.fixture
def run_case(django_db_setup, django_db_blocker):
    """Run all tests of a class, outside of any transaction, as Django's runner does."""

    def run(case):
        result = unittest.TestResult()
        unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
        return result

    with django_db_blocker.unblock():
        yield run


def test_a_tenant_test_case_has_a_tenant_of_its_own(run_case):
    class Case(TenantTestCase):
        @classmethod
        def setup_tenant(cls, tenant):
            tenant.search_is_public = True

        @classmethod
        def setUpTestData(cls):
            cls.note = Note.objects.create(title="Bicycle", body="The chain wants oil.")

        def test_one_test_sees_nothing_of_the_other(self):
            Note.objects.create(title="Train", body="It is late.")
            assert Note.objects.count() == 2

        def test_the_other_sees_nothing_of_the_one(self):
            Note.objects.create(title="Ship", body="It is slow.")
            assert Note.objects.count() == 2

        def test_the_client_asks_the_tenants_site(self):
            client = TenantClient(self.tenant)
            page = client.get("/")
            client.force_login(get_user_model().objects.get())
            account = client.get("/accounts/account/")
            assert [page.status_code, account.status_code] == [200, 200]
            assert page.wsgi_request.tenant == self.tenant
            assert Note.objects.get() == self.note

    result = run_case(Case)

    assert [result.testsRun, result.failures, result.errors] == [3, [], []]
    assert not schema_exists("test")
    assert not Tenant.objects.filter(schema_name="test").exists()
    assert not Domain.objects.filter(domain="tenant.test.com").exists()


def test_a_set_up_that_fails_leaves_no_tenant(run_case):
    class Case(TenantTestCase):
        @classmethod
        def setUpTestData(cls):
            raise ValueError("no data")

        def test_nothing(self):
            pass

    result = run_case(Case)

    assert "ValueError: no data" in result.errors[0][1]
    assert not schema_exists("test")
    assert not Tenant.objects.filter(schema_name="test").exists()


def test_the_stock_test_case_names_ours(db):
    class Case(cases.TenantTestCase):
        def test_something(self):
            Note.objects.count()

    Case.setUpClass()
    with pytest.raises(
        ImproperlyConfigured, match=r"is not provisioned.*tenants\.provisioning\.testing\.TenantTestCase"
    ):
        Note.objects.count()
