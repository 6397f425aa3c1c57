"""Signatures that are each tenant's own.

Every tenant of a project signs with the same SECRET_KEY, so a value that Django signed for one of them, in a
cookie or a link, would be accepted by all others.
"""

from typing import Any

from django.core.signing import Signer

from tenants.context import connection


def separate_signatures() -> None:
    """Make everything that django.core.signing signs valid only in the schema it was signed in.

    By construction and not by a salt that somebody must think of: Signer.signature is where signing.dumps,
    signed cookies and TimestampSigner all come by.
    """
    stock = Signer.signature
    if getattr(stock, "knows_tenants", False):
        return

    def signature(self: Signer, value: str | bytes, key: Any = None) -> str:
        # No schema's name holds a NUL, so no other schema and value give the same text.
        text = value.decode() if isinstance(value, bytes) else value
        return stock(self, f"{connection.schema_name}\x00{text}", key)

    signature.knows_tenants = True  # type: ignore[attr-defined]
    Signer.signature = signature  # type: ignore[method-assign]
