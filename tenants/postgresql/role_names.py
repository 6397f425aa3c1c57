"""What the tenants' database roles are called, and whether there are any."""

from functools import lru_cache
from hashlib import sha256

from tenants.conf import conf


def are_roles_used() -> bool:
    """Return whether each tenant has a role of its own (settings.TENANT_ROLES)."""
    return bool(conf.TENANT_ROLES)


def get_role_name(database: str, schema: str) -> str:
    """Return the name of a tenant's role, "" when roles are switched off.

    Roles belong to the server and not to a database, so the database is part of the name (at most 59 bytes).
    """
    return f"t_{_digest(database)}_{schema}" if are_roles_used() else ""


def get_group_name(database: str) -> str:
    """Return the name of the role that all tenants' roles of a database are members of."""
    return f"t_{_digest(database)}"


@lru_cache
def _digest(database: str) -> str:
    return sha256(database.encode()).hexdigest()[:8]
