import pytest
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connection

from tenants.models import Tenant
from tenants.provisioning.life_cycle import choose_schema_name, register_tenant
from tenants.validators import validate_schema_name

SPACES = ", ".join(sorted(settings.EMBEDDINGS))
INITECH = {"name": "Initech", "subdomain": "initech", "owner_email": "bill@initech.example"}


def get_faults(**values):
    with pytest.raises(ValidationError) as caught:
        register_tenant(**INITECH | values)
    return caught.value.message_dict


def test_registration_writes_a_row_and_nothing_else(db, schemas):
    tenant = register_tenant(**INITECH, space="fast", search_is_public=True)

    assert (tenant.schema_name, tenant.state, tenant.provisioned_at) == ("initech", "provisioning", None)
    assert (tenant.space, tenant.search_is_public) == ("fast", True)
    assert "initech" not in schemas()
    assert not tenant.domains.exists()


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("name", "", "This field cannot be blank."),
        ("name", "a" * 101, "Ensure this value has at most 100 characters (it has 101)."),
        ("name", "a\x01b", "Control characters, such as line breaks, are not allowed."),
        ("subdomain", "Initech", "'Initech' is not a valid subdomain"),
        ("subdomain", "admin", "The subdomain 'admin' is reserved."),
        ("subdomain", "acme", "'acme' is the subdomain of another tenant. Choose another one."),
        ("owner_email", "bill", "Enter a valid email address."),
        (
            "space",
            "slow",
            f"'slow' is not a space of settings.EMBEDDINGS. Choose one of: {SPACES}.",
        ),
        (
            "space",
            "own-x",
            f"A new tenant has no space of its own such as 'own-x'. Choose one of: {SPACES[:12]}",
        ),
    ],
)
def test_registration_refuses_a_bad_value_and_names_its_field(acme, field, value, fault):
    faults = get_faults(**{field: value})

    assert list(faults) == [field]
    assert faults[field][0].startswith(fault)


def test_registration_names_all_fields_at_fault_at_once(acme):
    before = Tenant.objects.count()

    faults = get_faults(name="", subdomain="a b", owner_email="bill", space="slow")

    assert sorted(faults) == ["name", "owner_email", "space", "subdomain"]
    assert Tenant.objects.count() == before


def test_registration_refuses_a_host_that_is_another_tenants_further_domain(acme):
    acme.domains.create(domain="initech.localhost", is_primary=False)

    faults = get_faults()

    assert "initech.localhost" in faults["subdomain"][0]


@pytest.mark.parametrize(
    ("subdomain", "schema_name"),
    [("initech", "initech"), ("a-b", "a_b"), ("information-schema", "information_schema_2")],
)
def test_the_schema_is_named_after_the_subdomain(db, subdomain, schema_name):
    assert choose_schema_name(subdomain) == schema_name


def test_a_taken_schema_name_gets_a_number(make_tenant):
    make_tenant("first", schema_name="a_b")
    make_tenant("second", schema_name="a_b_2")

    assert choose_schema_name("a-b") == "a_b_3"


def test_a_schema_without_a_tenant_is_not_taken_over(db):
    connection.cursor().execute("CREATE SCHEMA initech")

    assert choose_schema_name("initech") == "initech_2"


def test_a_long_taken_schema_name_gets_a_number_within_its_length(make_tenant):
    make_tenant("first", schema_name="a" * 48)
    make_tenant("second", schema_name="a" * 44 + "_2")

    assert choose_schema_name("a" * 48) == "a" * 44 + "_3"


@pytest.mark.parametrize("subdomain", ["pg-acme", "pg-toast", "information-schema", "a" * 48])
def test_every_subdomain_has_a_valid_schema_name(db, subdomain):
    validate_schema_name(choose_schema_name(subdomain))
