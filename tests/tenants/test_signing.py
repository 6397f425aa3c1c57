import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.tokens import PasswordResetTokenGenerator, default_token_generator
from django.core import signing
from django.http import HttpRequest, HttpResponse

from tenants.context import tenant_context, unbound


@pytest.fixture
def signed(acme):
    with tenant_context(acme):
        return signing.dumps({"user": 1})


def test_a_signed_value_is_valid_where_it_was_signed(signed, acme):
    with tenant_context(acme):
        assert signing.loads(signed) == {"user": 1}


def test_a_signed_value_is_not_valid_in_another_tenant(signed, globex):
    with tenant_context(globex), pytest.raises(signing.BadSignature):
        signing.loads(signed)


def test_a_tenants_signed_value_is_not_valid_on_the_operators_site_nor_the_reverse(signed, acme):
    with unbound(), pytest.raises(signing.BadSignature):
        signing.loads(signed)
    with unbound():
        operators = signing.dumps({"user": 1})

    with tenant_context(acme), pytest.raises(signing.BadSignature):
        signing.loads(operators)


def test_a_signed_cookie_is_not_valid_in_another_tenant(acme, globex):
    response, request = HttpResponse(), HttpRequest()
    with tenant_context(acme):
        response.set_signed_cookie("seen", "yes")
    request.COOKIES["seen"] = response.cookies["seen"].value

    with tenant_context(globex):
        elsewhere = request.get_signed_cookie("seen", default=None)
    with tenant_context(acme):
        at_home = request.get_signed_cookie("seen", default=None)

    assert (at_home, elsewhere) == ("yes", None)


def test_a_value_that_names_another_schema_forges_nothing(acme, globex):
    with tenant_context(acme):
        forged = signing.Signer().sign("globex\x00value")

    with tenant_context(globex), pytest.raises(signing.BadSignature):
        signing.Signer().unsign("value:" + forged.rsplit(":", 1)[1])


class ActivationTokenGenerator(PasswordResetTokenGenerator):
    """As many projects have one, with nothing of Django's in what is hashed."""

    def _make_hash_value(self, user, timestamp):
        return f"{user.pk}{timestamp}"


@pytest.mark.parametrize("generator", [default_token_generator, ActivationTokenGenerator()])
@pytest.mark.parametrize("secret", ["key", b"\xff\x00key"], ids=["text", "bytes"])
def test_a_token_is_not_valid_in_another_tenant_even_for_an_equal_account(
    acme, globex, monkeypatch, generator, secret
):
    monkeypatch.setattr(generator, "_secret", secret)
    with tenant_context(acme):
        user = get_user_model().objects.create_user("ann@example.com", "correct horse 7 battery")
        token = generator.make_token(user)
        at_home = generator.check_token(user, token)
    with tenant_context(globex):
        twin = get_user_model()(pk=user.pk, email=user.email, password=user.password)

        elsewhere = generator.check_token(twin, token)

    assert (at_home, elsewhere) == (True, False)
