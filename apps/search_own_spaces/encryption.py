"""Secrets at rest: encrypted for one use of one tenant.

Fernet (AES-128-CBC with HMAC-SHA256, https://github.com/fernet/spec) under keys that HKDF (RFC 5869) derives
from the installation's secrets and from what the secret is for. What was encrypted for one tenant is noise to
every other, though it be copied into its tables.
"""

import base64
import json

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from apps.search_own_spaces.conf import conf

MIN_LENGTH = 32  # characters of a key in settings.ENCRYPTION_KEYS


class UndecryptableError(Exception):
    """A secret was encrypted with another key, or for something else."""


def encrypt(secret: str, *purpose: str) -> str:
    """Return the secret as ASCII text that only `decrypt` with the same purpose can read.

    `purpose` says whose it is and what for: schema, alias, address.
    """
    return _make_box(purpose).encrypt(secret.encode()).decode()


def decrypt(token: str, *purpose: str) -> str:
    """Return the secret. Raises UndecryptableError."""
    try:
        return _make_box(purpose).decrypt(token.encode()).decode()
    except InvalidToken:
        # Not chained: nothing about the keys belongs into a report.
        raise UndecryptableError(
            "It was encrypted for another use, or with what is neither in ENCRYPTION_KEYS nor SECRET_KEY."
        ) from None


def list_keys() -> list[str]:
    """Return the installation's secrets, the one that encrypts first; all of them decrypt."""
    return [*conf.ENCRYPTION_KEYS, settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]


def _make_box(purpose: tuple[str, ...]) -> MultiFernet:
    info = json.dumps(["own_spaces", *purpose]).encode()
    keys = [HKDF(SHA256(), length=32, salt=None, info=info).derive(key.encode()) for key in list_keys()]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in keys])
