"""Signatures that are each tenant's own.

Every tenant of a project signs with the same SECRET_KEY, so a value that Django signed for one of them, in a
cookie or a link, would be accepted by all others.
"""

from typing import Any

from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core.signing import Signer
from django.utils.encoding import force_bytes

from tenants.context import connection


def separate_signatures() -> None:
    """Make what Django signs, and its one-use tokens, valid only in the schema they were made in.

    By construction and not by a salt that somebody must think of: Signer.signature is where signing.dumps,
    signed cookies and TimestampSigner all come by, and tokens have a method of their own.
    """
    _separate_signer()
    _separate_tokens()


def _separate_signer() -> None:
    stock = Signer.signature
    if getattr(stock, "knows_tenants", False):
        return

    def signature(self: Signer, value: str | bytes, key: Any = None) -> str:
        # No schema's name holds a NUL, so no other schema and value give the same text.
        text = value.decode() if isinstance(value, bytes) else value
        return stock(self, f"{connection.schema_name}\x00{text}", key)

    signature.knows_tenants = True  # type: ignore[attr-defined]
    Signer.signature = signature  # type: ignore[method-assign]


def _separate_tokens() -> None:
    """Accounts of two tenants may share key, address and password hash (a copied or restored schema)."""
    stock = PasswordResetTokenGenerator._make_token_with_timestamp
    if getattr(stock, "knows_tenants", False):
        return

    def make_token(self: PasswordResetTokenGenerator, user: Any, timestamp: int, secret: str | bytes) -> str:
        # Into the secret, since a generator of one's own may well hash another value.
        token: str = stock(
            self, user, timestamp, force_bytes(f"{connection.schema_name}\x00") + force_bytes(secret)
        )
        return token

    make_token.knows_tenants = True  # type: ignore[attr-defined]
    PasswordResetTokenGenerator._make_token_with_timestamp = make_token  # type: ignore[method-assign]
