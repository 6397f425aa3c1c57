import pytest

from apps.search_own_spaces.checks import check_aliases, check_encryption_keys
from apps.search_own_spaces.encryption import UndecryptableError, decrypt, encrypt

FIRST, SECOND = "first-" + "k" * 40, "second-" + "k" * 40


def is_readable(token, *purpose):
    try:
        return decrypt(token, *purpose) == "secret"
    except UndecryptableError:
        return False


def test_a_secret_comes_back_and_is_nowhere_in_its_token():
    token = encrypt("secret", "acme", "own-x")

    assert decrypt(token, "acme", "own-x") == "secret"
    assert "secret" not in token
    assert token != encrypt("secret", "acme", "own-x")


@pytest.mark.parametrize(
    "purpose", [("globex", "own-x"), ("acme", "own-y"), ("acme",), ("acme", "own-x", ""), ("acmeown-x",), ()]
)
def test_what_is_for_one_use_cannot_be_read_for_another(purpose):
    token = encrypt("secret", "acme", "own-x")

    assert is_readable(token, "acme", "own-x")
    assert not is_readable(token, *purpose)


@pytest.mark.parametrize(
    "change", [lambda token: token[:-4] + "AAAA", lambda token: token[:20], lambda token: ""]
)
def test_a_token_that_was_changed_cannot_be_read(change):
    assert not is_readable(change(encrypt("secret", "acme")), "acme")


def test_the_error_says_what_may_be_wrong_and_nothing_of_the_keys():
    with pytest.raises(UndecryptableError) as caught:
        decrypt(encrypt("secret", "acme"), "globex")

    message = "It was encrypted for another use, or with what is neither in ENCRYPTION_KEYS nor SECRET_KEY."
    assert str(caught.value) == message
    assert caught.value.__cause__ is None


def test_without_keys_of_its_own_the_secret_key_encrypts_and_its_fallbacks_decrypt(settings):
    settings.SECRET_KEY = FIRST
    token = encrypt("secret", "acme")

    settings.SECRET_KEY = SECOND
    alone = is_readable(token, "acme")
    settings.SECRET_KEY_FALLBACKS = [FIRST]

    assert not alone
    assert is_readable(token, "acme")


def test_the_first_of_the_encryption_keys_encrypts_and_all_decrypt(settings):
    before = encrypt("secret", "acme")
    settings.ENCRYPTION_KEYS = [FIRST]
    with_first = encrypt("secret", "acme")
    settings.ENCRYPTION_KEYS = [SECOND, FIRST]
    with_second = encrypt("secret", "acme")

    settings.SECRET_KEY = "another"

    assert is_readable(with_first, "acme")
    assert is_readable(with_second, "acme")
    assert not is_readable(before, "acme")
    settings.ENCRYPTION_KEYS = [FIRST]
    assert not is_readable(with_second, "acme")


def test_a_secret_that_is_encrypted_again_no_longer_needs_the_former_key(settings):
    settings.ENCRYPTION_KEYS = [FIRST]
    token = encrypt("secret", "acme")
    settings.ENCRYPTION_KEYS = [SECOND, FIRST]

    renewed = encrypt(decrypt(token, "acme"), "acme")
    settings.ENCRYPTION_KEYS = [SECOND]

    assert is_readable(renewed, "acme")
    assert not is_readable(token, "acme")


def test_a_key_that_could_be_guessed_is_an_error(settings):
    settings.ENCRYPTION_KEYS = [FIRST, "short"]

    (fault,) = check_encryption_keys()

    assert fault.id == "own_spaces.E001"
    assert fault.msg == "ENCRYPTION_KEYS: number 2 has 5 characters; 32 or more are needed."


def test_an_alias_of_the_settings_must_not_look_like_a_tenants(settings):
    settings.EMBEDDINGS = settings.EMBEDDINGS | {"own-x": settings.EMBEDDINGS["default"]}

    (fault,) = check_aliases()

    assert fault.id == "own_spaces.E002"
    assert fault.msg.startswith(
        "EMBEDDINGS['own-x']: only a tenant's own space may have a name that begins with"
    )
