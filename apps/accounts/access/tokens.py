"""What is hashed for one tenant and must not be valid in another."""

from django.db import connection


def bind_to_schema(value: str) -> str:
    """Return the value with the current schema's name, to be signed or hashed together."""
    return f"{connection.schema_name}:{value}"  # type: ignore[attr-defined]
