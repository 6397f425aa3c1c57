import pytest
from django.core.exceptions import ValidationError

from tenants.validators import validate_domain, validate_schema_name, validate_space, validate_subdomain


def get_fault(validate, value):
    with pytest.raises(ValidationError) as caught:
        validate(value)
    return caught.value.messages[0]


@pytest.mark.parametrize("value", ["a", "acme", "acme2", "a_b", "a" * 48, "publicity", "pgx"])
def test_schema_names_that_need_no_quoting_are_accepted(value):
    validate_schema_name(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Adm1",
        "a b",
        "a-b",
        "a.b",
        "1a",
        "_a",
        "pg_acme",
        "public",
        "information_schema",
        "a" * 49,
        'a"; drop schema acme; --',
        "acme\n",
        "a\x00b",
        "ä",
        "a٣",
    ],
)
def test_other_schema_names_are_refused_with_the_value_and_the_rule(value):
    fault = get_fault(validate_schema_name, value)

    assert fault.startswith(f"{value!r} is not a valid schema name: use 1 to 48 lower-case letters, digits")


@pytest.mark.parametrize("value", ["a", "acme", "acme-2", "a1b2", "a" * 48, "a-b-c"])
def test_single_host_labels_are_accepted_as_subdomains(value):
    validate_subdomain(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Acme",
        "a b",
        "a_b",
        "a.b",
        "-a",
        "a-",
        "1a",
        "a--b",
        "xn--bcher-kva",
        "a" * 49,
        "acme\n",
        "a\x00b",
        "ä",
        "a٣",
        "acme.localhost",
        "acme:80",
    ],
)
def test_other_subdomains_are_refused_with_the_value_and_the_rule(value):
    fault = get_fault(validate_subdomain, value)

    assert fault.startswith(f"{value!r} is not a valid subdomain: use 1 to 48 lower-case letters, digits")


@pytest.mark.parametrize("value", ["www", "admin", "api", "public", "localhost", "mail", "static", "tenants"])
def test_the_operators_own_labels_are_reserved(value):
    fault = get_fault(validate_subdomain, value)

    assert fault == f"The subdomain {value!r} is reserved. Choose another."


@pytest.mark.parametrize(
    "value", ["acme.localhost", "search.example.com", "a-b.example", "1.example", "intranet"]
)
def test_host_names_in_the_form_of_requests_are_accepted(value):
    validate_domain(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Acme.localhost",
        "acme.localhost.",
        "acme.localhost:8000",
        "http://acme.localhost",
        "acme..localhost",
        ".localhost",
        "-a.localhost",
        "a-.localhost",
        "a_b.localhost",
        "a b",
        "acme.localhost\n",
        "a\x00b",
        "bücher.example",
        "a" * 64 + ".example",
        ".".join(["a" * 62] * 5),
    ],
)
def test_other_host_names_are_refused_with_the_value_and_the_rule(value):
    fault = get_fault(validate_domain, value)

    assert fault.startswith(
        f"{value!r} is not a valid host name: use lower-case labels of letters, digits and hyphens"
    )


@pytest.mark.parametrize("value", ["localhost", "www.localhost"])
def test_no_tenant_gets_the_operators_own_host(value):
    fault = get_fault(validate_domain, value)

    assert fault == f"{value!r} is the operators' own site."


def test_the_operators_host_follows_the_settings(settings):
    settings.BASE_DOMAIN = "example.com"

    validate_domain("localhost")

    assert get_fault(validate_domain, "www.example.com") == "'www.example.com' is the operators' own site."


def test_every_space_of_the_settings_is_accepted(settings):
    for alias in settings.EMBEDDINGS:
        validate_space(alias)


def test_a_space_of_the_tenants_own_is_accepted():
    validate_space("own-voyage-3")


@pytest.mark.parametrize("alias", ["own-", "own", "own-A", "own-a--b", "own-a-", "my-own-a", "own-a\n"])
def test_what_cannot_be_a_space_of_the_tenants_own_is_refused(alias):
    assert get_fault(validate_space, alias).startswith(f"{alias!r} is not a space of settings.EMBEDDINGS.")


def test_an_unknown_space_is_refused_with_those_there_are(settings):
    settings.EMBEDDINGS = {"fast": {}, "default": {}}

    fault = get_fault(validate_space, "slow")

    assert fault == "'slow' is not a space of settings.EMBEDDINGS. Choose one of: default, fast."
