from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from apps.accounts.models import ApiKey
from tenants.context import tenant_context


def test_the_plain_key_is_stored_nowhere(in_acme, member):
    api_key, plain_key = ApiKey.objects.issue(member, "import")

    row = ApiKey.objects.filter(pk=api_key.pk).values().get()

    assert row["prefix"] == plain_key[:8]
    assert len(row["digest"]) == 64
    assert plain_key not in map(str, row.values())


def test_keys_are_random_and_of_32_bytes(in_acme, member):
    keys = {ApiKey.objects.issue(member, "import")[1] for _ in range(20)}

    assert len(keys) == 20
    assert {len(key) for key in keys} == {43}


def test_a_key_is_authenticated(in_acme, member):
    api_key, plain_key = ApiKey.objects.issue(member, "import", timezone.now() + timedelta(days=1))

    found = ApiKey.objects.authenticate(plain_key)

    assert found == api_key
    assert found.user == member


def test_the_right_prefix_with_another_rest_is_refused(in_acme, member):
    _, plain_key = ApiKey.objects.issue(member, "import")
    swapped = plain_key[:-2] + ("AA" if plain_key[-2:] != "AA" else "BB")

    assert ApiKey.objects.authenticate(swapped) is None


def test_a_revoked_key_is_refused_and_keeps_its_first_date(in_acme, member):
    api_key, plain_key = ApiKey.objects.issue(member, "import")
    api_key.revoke()
    revoked_at = api_key.revoked_at
    api_key.revoke()

    assert ApiKey.objects.authenticate(plain_key) is None
    assert api_key.state == "revoked"
    assert api_key.revoked_at == revoked_at


def test_an_expired_key_is_refused(in_acme, member):
    api_key, plain_key = ApiKey.objects.issue(member, "import", timezone.now() + timedelta(days=1))
    ApiKey.objects.filter(pk=api_key.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    api_key.refresh_from_db()

    assert ApiKey.objects.authenticate(plain_key) is None
    assert api_key.state == "expired"


def test_the_key_of_an_inactive_member_is_refused(in_acme, member):
    _, plain_key = ApiKey.objects.issue(member, "import")
    member.is_active = False
    member.save()

    assert ApiKey.objects.authenticate(plain_key) is None


@pytest.mark.parametrize(
    "malformed",
    [
        "",
        " ",
        "x",
        "é" * 43,
        "\x00" * 43,
        "\ud800" * 43,
        "a" * 42,
        "a" * 44,
        "a" * 5_000_000,
        "a" * 43 + "\n",
    ],
    ids=["empty", "space", "letter", "accent", "nul", "surrogate", "short", "long", "huge", "newline"],
)
def test_a_malformed_key_is_refused_without_an_exception(in_acme, malformed):
    assert ApiKey.objects.authenticate(malformed) is None


@pytest.mark.parametrize("value", [None, 7, b"a" * 43])
def test_a_key_that_is_no_text_is_refused_without_an_exception(in_acme, value):
    assert ApiKey.objects.authenticate(value) is None


def test_use_is_noted_at_once_and_then_at_most_once_a_minute(in_acme, member):
    api_key, plain_key = ApiKey.objects.issue(member, "import")

    first = ApiKey.objects.authenticate(plain_key).last_used_at
    second = ApiKey.objects.authenticate(plain_key).last_used_at
    ApiKey.objects.filter(pk=api_key.pk).update(last_used_at=first - timedelta(seconds=61))
    third = ApiKey.objects.authenticate(plain_key).last_used_at

    assert first is not None
    assert second == first
    assert third > first
    assert ApiKey.objects.get(pk=api_key.pk).last_used_at == third


def test_a_refused_key_is_not_noted_as_used(in_acme, member):
    api_key, plain_key = ApiKey.objects.issue(member, "import")
    api_key.revoke()

    ApiKey.objects.authenticate(plain_key)

    assert ApiKey.objects.get(pk=api_key.pk).last_used_at is None


@pytest.mark.parametrize(
    ("name", "days", "message"),
    [
        ("", 1, "This field cannot be blank."),
        ("n" * 101, 1, "at most 100 characters"),
        ("nul\x00", 1, "Null characters are not allowed."),
        ("import", -1, "a key expires in the future, or never"),
    ],
)
def test_issue_refuses_and_stores_nothing(in_acme, member, name, days, message):
    with pytest.raises(ValidationError, match=message):
        ApiKey.objects.issue(member, name, timezone.now() + timedelta(days=days))

    assert not member.api_keys.exists()


def test_another_tenant_refuses_the_key(in_acme, member, globex):
    _, plain_key = ApiKey.objects.issue(member, "import")

    with tenant_context(globex):
        assert ApiKey.objects.authenticate(plain_key) is None
        assert not ApiKey.objects.filter(prefix=plain_key[:8]).exists()
