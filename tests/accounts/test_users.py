import pytest
from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, connection
from hypothesis import given
from hypothesis import strategies as st

from apps.accounts.fields import normalise_email
from apps.accounts.models import User
from tenants.context import tenant_context

from .conftest import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("Mia@Example.COM", "mia@example.com"),
        ("  mia@example.com ", "mia@example.com"),
        ("mia@BÜCHER.example", "mia@bücher.example"),
        ("mia@ﬀ.example", "mia@ff.example"),
    ],
)
def test_create_user_normalises_the_whole_address(in_acme, typed, stored):
    user = User.objects.create_user(typed)

    user.refresh_from_db()

    assert user.email == stored


def test_saving_normalises_the_instance_and_its_row(in_acme):
    user = User(email="MIA@example.com")

    user.save()

    assert user.email == "mia@example.com"
    assert User.objects.values_list("email", flat=True).get(pk=user.pk) == "mia@example.com"


def test_an_account_is_found_in_any_case(in_acme):
    user = User.objects.create_user("mia@example.com")

    assert User.objects.get_by_natural_key("MIA@Example.com") == user
    assert User.objects.get(email="MIA@Example.com") == user
    assert User.objects.filter(email__in=["MIA@Example.com"]).get() == user


@pytest.mark.parametrize("write", ["create", "update", "bulk_create"])
def test_two_accounts_cannot_differ_in_case_only(in_acme, write):
    User.objects.create_user("mia@example.com")
    other = User.objects.create_user("other@example.com")
    writes = {
        "create": lambda: User.objects.create(email="MIA@example.com"),
        "update": lambda: User.objects.filter(pk=other.pk).update(email="MIA@example.com"),
        "bulk_create": lambda: User.objects.bulk_create([User(email="MIA@example.com")]),
    }

    with pytest.raises(IntegrityError, match="accounts_user_email"):
        writes[write]()


def test_the_database_refuses_an_address_in_another_case_written_past_the_model(in_acme):
    User.objects.create_user("mia@example.com")
    other = User.objects.create_user("other@example.com")

    with (
        pytest.raises(IntegrityError, match="accounts_user_email_lower_unique"),
        connection.cursor() as cursor,
    ):
        cursor.execute("UPDATE accounts_user SET email = 'MIA@example.com' WHERE id = %s", [other.pk])


def test_validation_names_a_taken_address_once(in_acme):
    User.objects.create_user("mia@example.com")

    with pytest.raises(ValidationError) as caught:
        User(email="MIA@example.com", password="!").full_clean()

    assert caught.value.message_dict == {"email": ["An account with this e-mail address exists already."]}


@pytest.mark.parametrize("address", ["", "   ", "mia", "mia@", "m i a@example.com", "mia\x00@example.com"])
def test_create_user_refuses_what_is_no_address(in_acme, address):
    with pytest.raises(ValidationError, match="is not an e-mail address; one like"):
        User.objects.create_user(address)

    assert not User.objects.filter(email__startswith="mia").exists()


def test_a_user_without_password_cannot_sign_in(in_acme):
    user = User.objects.create_user("mia@example.com")

    assert not user.has_usable_password()
    assert authenticate(username="mia@example.com", password="") is None


def test_create_superuser_gives_all_rights(in_acme):
    user = User.objects.create_superuser("mia@example.com", PASSWORD)

    assert (user.is_staff, user.is_superuser, user.is_active) == (True, True, True)
    assert user.check_password(PASSWORD)


def test_the_createsuperuser_command_works_with_an_address(in_acme, capsys):
    call_command("createsuperuser", email="Root@example.com", interactive=False)

    assert User.objects.get(email="root@example.com").is_superuser


def test_another_tenant_does_not_have_the_user(member, globex):
    with tenant_context(globex):
        assert not User.objects.filter(email=member.email).exists()
        assert authenticate(username=member.email, password=PASSWORD) is None


@given(st.text(max_size=40))
def test_normalising_an_address_twice_changes_nothing(address):
    once = normalise_email(address)

    assert normalise_email(once) == once
