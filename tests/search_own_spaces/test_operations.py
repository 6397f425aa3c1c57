from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from apps.operations.doctor.finding import Scope
from apps.search_own_spaces.doctor import check
from apps.search_own_spaces.models import OwnSpace
from tenants.context import tenant_context, unbound
from tenants.models import Tenant
from tests.search_own_spaces.conftest import KEY

FIRST, SECOND = "first-" + "k" * 40, "second-" + "k" * 40


@pytest.fixture
def with_first_key(settings, acme, globex, make_space):
    """Both tenants have a key that FIRST encrypted."""
    settings.ENCRYPTION_KEYS = [FIRST]
    for tenant in (acme, globex):
        with tenant_context(tenant):
            make_space()
            make_space("own-open", key="")


def describe_keys(*tenants):
    found = []
    for tenant in tenants:
        with tenant_context(tenant):
            found += [space.describe_key() for space in OwnSpace.objects.all()]
    return found


@pytest.mark.usefixtures("with_first_key")
def test_rotation_makes_the_former_key_needless(settings, acme, globex, capsys):
    settings.ENCRYPTION_KEYS = [SECOND, FIRST]

    call_command("rotate_encryption", "--all")
    call_command("rotate_encryption", "--all")
    settings.ENCRYPTION_KEYS = [SECOND]

    assert describe_keys(acme, globex) == ["not set", "set, ends in 6789"] * 2
    assert capsys.readouterr().out.splitlines()[:2] == [
        "acme: 1 keys encrypted again",
        "globex: 1 keys encrypted again",
    ]


@pytest.mark.usefixtures("with_first_key")
def test_rotation_of_one_tenant_leaves_the_others(settings, acme, globex):
    settings.ENCRYPTION_KEYS = [SECOND, FIRST]

    call_command("rotate_encryption", "--schema=acme")
    settings.ENCRYPTION_KEYS = [SECOND]

    assert describe_keys(acme) == ["not set", "set, ends in 6789"]
    assert describe_keys(globex) == ["not set", "cannot be read: give it again"]


@pytest.mark.usefixtures("with_first_key")
def test_rotation_names_what_it_cannot_read_and_leaves_it(settings, acme, capsys):
    settings.ENCRYPTION_KEYS = [SECOND]

    with pytest.raises(
        CommandError, match="2 keys cannot be read: keep the former secrets, or give them again"
    ):
        call_command("rotate_encryption", "--all")
    settings.ENCRYPTION_KEYS = [FIRST]

    assert "acme: 0 keys encrypted again; cannot be read: own-stub" in capsys.readouterr().out
    assert describe_keys(acme) == ["not set", "set, ends in 6789"]


@pytest.mark.usefixtures("with_first_key")
def test_the_doctor_counts_keys_that_cannot_be_read_and_names_none(settings, acme, globex):
    sound = list(check(Scope([acme, globex], is_whole=True)))
    settings.ENCRYPTION_KEYS = ["short"]

    found = list(check(Scope([acme], is_whole=True)))

    assert sound == []
    assert [(finding.subject, finding.message) for finding in found] == [
        ("search", "ENCRYPTION_KEYS: number 1 has 5 characters; 32 or more are needed. (own_spaces.E001)"),
        ("acme", "The keys of 1 of its own search spaces cannot be decrypted."),
    ]
    assert KEY not in str(found)


def test_isolation_is_proved_while_a_tenants_endpoint_is_down(acme, globex, make_space):
    for tenant in (acme, globex):
        with tenant_context(tenant):
            make_space(base_url="http://127.0.0.1:9/v1")
        with unbound():
            Tenant.objects.filter(pk=tenant.pk).update(space="own-stub")
    out = StringIO()

    call_command("prove_isolation", stdout=out)

    assert "2 tenants, " in out.getvalue()
    assert "nothing leaks" in out.getvalue()
