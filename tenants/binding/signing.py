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

    No caller has to think of a salt: signing.dumps, signed cookies and TimestampSigner all go through
    Signer.signature. Tokens have a method of their own. Accounts of two tenants may share key, address and
    password hash, in a copied or restored schema.
    """
    sign, make_token = Signer.signature, PasswordResetTokenGenerator._make_token_with_timestamp

    def signature(self: Signer, value: str | bytes, key: Any = None) -> str:
        # No schema's name holds a NUL, so no other schema and value give the same text.
        text = value.decode() if isinstance(value, bytes) else value
        return sign(self, f"{connection.schema_name}\x00{text}", key)

    def token(self: PasswordResetTokenGenerator, user: Any, timestamp: int, secret: str | bytes) -> str:
        # Into the secret, since a subclass may hash another value.
        own_secret = force_bytes(f"{connection.schema_name}\x00") + force_bytes(secret)
        made: str = make_token(self, user, timestamp, own_secret)
        return made

    if not getattr(sign, "knows_tenants", False):
        signature.knows_tenants = True  # type: ignore[attr-defined]
        Signer.signature = signature  # type: ignore[method-assign]
        PasswordResetTokenGenerator._make_token_with_timestamp = token  # type: ignore[method-assign]
