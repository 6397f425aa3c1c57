import pytest
from django.contrib.auth import get_user_model

from tenants.context import tenant_context

PASSWORD = "correct horse 7 battery"


@pytest.fixture(autouse=True)
def fast_password_hasher(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def at_acme():
    return {"headers": {"host": "acme.localhost"}}


@pytest.fixture
def at_globex():
    return {"headers": {"host": "globex.localhost"}}


@pytest.fixture
def member(db, acme):
    with tenant_context(acme):
        return get_user_model().objects.create_user("member@example.com", PASSWORD, name="Mia Member")


@pytest.fixture
def admin_member(db, acme):
    with tenant_context(acme):
        return get_user_model().objects.create_superuser("boss@example.com", PASSWORD)


@pytest.fixture
def twin(member, globex):
    # The hardest case: a row in the other schema that is the member's own in every column.
    with tenant_context(globex):
        get_user_model().objects.filter(pk=member.pk).delete()
        row = get_user_model()(pk=member.pk, email=member.email, password=member.password, name="Globex Twin")
        row.save(force_insert=True)
        return row


@pytest.fixture
def member_client(client, acme, member):
    with tenant_context(acme):
        client.force_login(member)
    return client


@pytest.fixture
def admin_client(client, acme, admin_member):
    with tenant_context(acme):
        client.force_login(admin_member)
    return client


@pytest.fixture
def limit(settings):
    return lambda **rates: setattr(settings, "RATE_LIMITS", rates)
