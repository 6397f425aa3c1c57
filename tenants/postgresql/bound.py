"""What the present context is bound to, and the errors where that is wrong.

It knows nothing of databases or apps, so anything may import it early.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple


class NoTenantError(RuntimeError):
    """Something that belongs to a tenant was asked for while none was bound."""


class TenantMismatchError(RuntimeError):
    """Something of one tenant was used while another one, or none, was bound."""


class Binding(NamedTuple):
    """What a context is bound to."""

    tenant: Any = None
    schema_name: str = "public"
    include_public_schema: bool = True
    as_owner: bool = False  # keep the connection's own rights: for changing tables
    statement_timeout: float = 0  # seconds until PostgreSQL breaks a statement off; 0: as the database says


current_binding: ContextVar[Binding] = ContextVar("tenant_binding", default=Binding())  # noqa: B039


@contextmanager
def owner_rights() -> Iterator[None]:
    """Run the block in the bound tenant with the connection's own rights: to create an index, say."""
    token = current_binding.set(current_binding.get()._replace(as_owner=True))
    try:
        yield
    finally:
        current_binding.reset(token)


@contextmanager
def statement_timeout(seconds: float) -> Iterator[None]:
    """Let PostgreSQL break off each statement of the block after so many seconds; 0: as the database says.

    A statement that is broken off raises OperationalError. Requests have a timeout from the beginning: this
    gives a page more time, or less.
    """
    token = current_binding.set(current_binding.get()._replace(statement_timeout=seconds))
    try:
        yield
    finally:
        current_binding.reset(token)
