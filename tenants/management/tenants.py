"""The arguments --schema and --all of the commands that work in tenants."""

from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django_tenants.utils import get_tenant_model

from tenants.context import connection, tenant_context, unbound


def add_schema_arguments(parser: CommandParser, *, allow_all: bool = True) -> None:
    """Add --schema and, if `allow_all`, --all; one of them is required."""
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--schema", help="the schema of one tenant")
    if allow_all:
        group.add_argument("--all", action="store_true", help="every active tenant")


def each_tenant(options: dict[str, Any]) -> Iterator[Any]:
    """Yield the tenants that the arguments name; each is bound until the next one is asked for.

    Raises CommandError for a schema that no active tenant has.
    """
    schema = options["schema"]
    with unbound():
        active = get_tenant_model().objects.filter(state="active").order_by("schema_name")
        tenants = list(active if schema is None else active.filter(schema_name=schema))
    if schema is not None and not tenants:
        raise CommandError(f"--schema: no active tenant has the schema {schema!r}.")
    for tenant in tenants:
        with tenant_context(tenant):
            yield tenant
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()  # as between two requests
