import pytest
from django.contrib.auth.password_validation import password_validators_help_texts, validate_password
from django.core.exceptions import ValidationError

from apps.accounts.models import User
from tenants.context import tenant_context

from .conftest import PASSWORD

CHANGE = "/accounts/password_change/"


def find_faults(password, user=None):
    try:
        validate_password(password, user)
    except ValidationError as error:
        return error.messages
    return []


@pytest.mark.parametrize(
    "password",
    ["Summer24", "Winter2025", "Password123!", "qwertyuiop12", "aaaaaaaaaaaa", "zaq12wsx", "Tr0ub4dour&3"],
)
def test_what_is_guessed_soon_is_refused(db, password):
    assert any(fault.startswith("This password is easy to guess.") for fault in find_faults(password))


@pytest.mark.parametrize(
    "password",
    ["correct horse 7 battery", "Xk9#mQ2vLp4w", "vier wörter über nacht", "p" * 20 + "Xk9#mQ2v" * 200],
)
def test_what_takes_long_to_guess_is_not(db, password):
    assert find_faults(password) == []


def test_the_reason_says_what_helps(db):
    (fault,) = find_faults("Summer24")

    assert fault == (
        "This password is easy to guess. This is similar to a commonly used password. "
        "Add another word or two. Uncommon words are better."
    )


@pytest.mark.parametrize("password", ["Quirrelbaum24!", "trzebiatowsky1", "Zyxomatic2026"])
def test_what_is_known_of_account_and_site_helps_a_guesser(acme, settings, password):
    user = User(email="quirrelbaum@example.com", name="Ottokar Trzebiatowsky")
    before = find_faults(password)
    settings.SITE_NAME = "Zyxomatic"

    with tenant_context(acme):
        faults = find_faults(password, user)

    assert before == []
    assert any(fault.startswith("This password is easy to guess.") for fault in faults)


def test_a_member_cannot_choose_such_a_password(member_client, acme, member, at_acme):
    form = {"old_password": PASSWORD, "new_password1": "Summer24", "new_password2": "Summer24"}
    html = member_client.post(CHANGE, form, **at_acme).content.decode()

    assert "This password is easy to guess." in html
    with tenant_context(acme):
        member.refresh_from_db()
        assert member.check_password(PASSWORD)


def test_the_form_says_so_before():
    assert any("word with a year" in text for text in password_validators_help_texts())
