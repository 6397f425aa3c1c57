"""What is signed for one tenant and must not be valid in another."""

from typing import TYPE_CHECKING

from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.db import connection

if TYPE_CHECKING:
    from apps.accounts.models import User


def bind_to_schema(value: str) -> str:
    """Return the value with the current schema's name, to be signed or hashed together."""
    return f"{connection.schema_name}:{value}"  # type: ignore[attr-defined]


class TenantTokenGenerator(PasswordResetTokenGenerator):
    """Django's one-use tokens, bound to the current schema.

    Accounts of two tenants may share key, address and password hash (a copied or restored schema), and
    Django's own token would then be valid in both.
    """

    key_salt = "apps.accounts.tokens.TenantTokenGenerator"

    def _make_hash_value(self, user: "User", timestamp: int) -> str:
        return bind_to_schema(super()._make_hash_value(user, timestamp))


tenant_token_generator = TenantTokenGenerator()
