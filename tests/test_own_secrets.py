import os
import re
import subprocess
import sys
from secrets import token_hex, token_urlsafe

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from project.own_secrets import HINT, require_own_secrets
from tests.optional import needs

PUBLISHED = re.search(
    r"^SECRET_KEY=(.+)$", (settings.BASE_DIR / ".env.example").read_text(), re.MULTILINE
).group(1)
OWN = {"SECRET_KEY": token_urlsafe(50), "SECRET_KEY_FALLBACKS": "", "ENCRYPTION_KEYS": token_urlsafe(50)}


def start(**variables):
    """Return the last line of what a process that loads the settings says, "" if it can start."""
    environment = os.environ | {"DATABASE_URL": "postgresql://nobody@:5432/none", "DEBUG": "False"}
    started = subprocess.run(
        [sys.executable, "-c", "import project.settings"],
        cwd=settings.BASE_DIR,
        env=environment | OWN | variables,
        capture_output=True,
        text=True,
    )
    lines = started.stderr.strip().splitlines()
    assert bool(lines) == bool(started.returncode)
    return lines[-1] if lines else ""


def test_a_site_with_secrets_of_its_own_starts():
    assert start() == ""


@pytest.mark.parametrize("name", ["SECRET_KEY", "SECRET_KEY_FALLBACKS"])
def test_the_published_key_starts_nothing_where_debug_is_off(name):
    message = start(**{name: PUBLISHED})

    assert f"{name} is a published placeholder. Where DEBUG is off" in message
    assert HINT in message
    assert PUBLISHED not in message


def test_the_published_key_is_for_development():
    assert start(SECRET_KEY=PUBLISHED, ENCRYPTION_KEYS="", DEBUG="True") == ""


@needs("apps.search_own_spaces")
@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ("", "ENCRYPTION_KEYS is not set."),
        ("short", "ENCRYPTION_KEYS can be guessed: it needs 32 characters, 8 of them different."),
        (f"{OWN['SECRET_KEY']},{PUBLISHED}", "ENCRYPTION_KEYS: number 2 is a published placeholder."),
    ],
)
def test_tenants_keys_are_not_kept_without_a_secret_for_them(keys, fault):
    assert fault in start(ENCRYPTION_KEYS=keys)


@pytest.mark.parametrize(
    "secret",
    [
        "django-insecure-" + "abcdefghij" * 5,
        "<50 random characters, and not these words>",
        "please-change-me-" + "abcdefghij" * 5,
        "CHANGEME" * 8,
        "your-secret-key-here-your-secret-key-here",
        "build",
        "x" * 60,
        "abcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabc",
    ],
)
def test_a_placeholder_or_a_guess_is_refused_and_not_quoted(secret):
    with pytest.raises(
        ImproperlyConfigured, match=r"^SECRET_KEY (is a published placeholder|can be guessed)"
    ) as caught:
        require_own_secrets("SECRET_KEY", [secret])

    assert secret not in str(caught.value)


def test_what_is_made_as_the_hint_says_is_good():
    require_own_secrets("SECRET_KEY", [token_urlsafe(50), token_hex(16), token_urlsafe(32)])


def test_an_image_is_built_with_secrets_that_nobody_keeps():
    text = (settings.BASE_DIR / "infra" / "Dockerfile").read_text()

    made = r"=\$\(python -c 'import secrets; print\(secrets\.token_urlsafe\(50\)\)'\)"
    assert re.search(rf"RUN SECRET_KEY{made} \\\n +ENCRYPTION_KEYS{made} ", text)
    assert not re.search(r"^(?:ENV|ARG) .*(?:SECRET|KEYS)", text, re.MULTILINE)
