"""Refuses, at start, secrets that others know or could guess."""

import re
from collections.abc import Sequence

from django.core.exceptions import ImproperlyConfigured

MIN_LENGTH = 32  # characters
MIN_DIFFERENT = 8  # different characters
PLACEHOLDER = re.compile(
    r"insecure|change.?(?:me|this|it)|secret.?key|your.?(?:own|secret|key)|placeholder|example|<.*>", re.I
)
HINT = "Make one: python -c 'import secrets; print(secrets.token_urlsafe(50))'"


def require_own_secrets(name: str, secrets: Sequence[str]) -> None:
    """Raise ImproperlyConfigured, which does not quote them, unless all of a setting's secrets are good ones.

    No secrets at all are good, too. Those of `.env.example` are placeholders.
    """
    for number, secret in enumerate(secrets, 1):
        where = f"{name}: number {number}" if len(secrets) > 1 else name
        if not secret:
            fault = "is not set"
        elif PLACEHOLDER.search(secret):
            fault = "is a published placeholder"
        elif len(secret) < MIN_LENGTH or len(set(secret)) < MIN_DIFFERENT:
            fault = f"can be guessed: it needs {MIN_LENGTH} characters, {MIN_DIFFERENT} of them different"
        else:
            continue
        raise ImproperlyConfigured(
            f"{where} {fault}. Where DEBUG is off, nothing starts without a secret of its own. {HINT}"
        )
