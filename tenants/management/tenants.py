"""Which tenants a command works in: the arguments --schema and --all, and what django-tenants asks for."""

import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from difflib import get_close_matches
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import transaction
from django_tenants.utils import get_public_schema_name, get_tenant_model

from tenants.context import connection, tenant_context, unbound
from tenants.models import Tenant
from tenants.provisioning.soundness import find_broken
from tenants.validators import is_schema_name

logger = logging.getLogger(__name__)

SHOWN = 10  # schemas that an error names
NEXT_STEPS: dict[str, str] = {  # by state
    Tenant.State.PROVISIONING: "A worker provisions it: manage.py db_worker",
    Tenant.State.FAILED: 'Choose "Provision again" in the operators\' admin.',
    Tenant.State.SUSPENDED: "Resume it in the operators' admin.",
    Tenant.State.LEAVING: "To keep it: manage.py delete_tenant {schema} --keep",
}


def add_schema_arguments(parser: CommandParser, *, allow_all: bool = True) -> None:
    """Add --schema and, if `allow_all`, --all; one of them is required."""
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--schema", help="the schema of one tenant")
    if allow_all:
        group.add_argument("--all", action="store_true", help="every active tenant")


def each_tenant(options: dict[str, Any]) -> Iterator[Any]:
    """Yield the tenants that the arguments name; each is bound until the next one is asked for.

    Raises CommandError for a schema that no active tenant has, or of a tenant that is broken. With --all,
    broken ones are passed over with a line in the log. An error in the caller's loop ends it; see
    `work_in_each`.
    """
    for tenant, fault in _choose_tenants(options):
        if fault:
            logger.error("Passed over %s", fault)
            continue
        with tenant_context(tenant):
            yield tenant
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()  # as between two requests


def work_in_each(options: dict[str, Any], work: Callable[[Any], object]) -> list[str]:
    """Call `work` with each tenant that the arguments name, bound. Returns the faults, a line each.

    With --all, the faults of one tenant keep no other from its turn. With --schema, errors are raised.
    """
    faults = []
    for tenant, fault in _choose_tenants(options):
        if not fault:
            try:
                savepoint = transaction.atomic() if connection.in_atomic_block else nullcontext()
                with tenant_context(tenant), savepoint:
                    work(tenant)
            except Exception as error:
                if options["schema"] is not None:
                    raise
                fault = f"{tenant.schema_name}: {error}"
                if not isinstance(error, CommandError):
                    fault = f"{tenant.schema_name}: {type(error).__name__}: {error}"
                    logger.exception("Failed in the tenant %s", tenant.schema_name)
            if not connection.in_atomic_block:
                connection.close_if_unusable_or_obsolete()
        if fault:
            faults.append(fault)
    return faults


def refuse_broken(tenant: Tenant) -> None:
    """Raise CommandError if nothing can be done in this tenant, which was provisioned."""
    for fault in describe_broken([tenant]).values():
        raise CommandError(fault)


def describe_broken(tenants: Iterable[Tenant]) -> dict[str, str]:
    """Return a line about each tenant that is broken, by its schema; it says where the mend is told."""
    with unbound():
        broken = find_broken(tenants)
    return {
        schema: f"{schema if is_schema_name(schema) else repr(schema)}: {why}. "
        "manage.py doctor says what mends it."
        for schema, why in broken.items()
    }


def _choose_tenants(options: dict[str, Any]) -> list[tuple[Any, str]]:
    """Return the tenants that the arguments name, each with what is broken about it or ""."""
    schema = options["schema"]
    with unbound():
        active = get_tenant_model().objects.filter(state="active").order_by("schema_name")
        tenants = list(active if schema is None else active.filter(schema_name=schema))
    if schema is not None and not tenants:
        raise CommandError(f"--schema: no active tenant has the schema {schema!r}. {find_next_step(schema)}")
    if schema is not None:
        refuse_broken(tenants[0])
    broken = describe_broken(tenants)
    return [(tenant, broken.get(tenant.schema_name, "")) for tenant in tenants]


def find_tenant(schema: str) -> Tenant:
    """Return the tenant with this schema, in whatever state. Raises CommandError."""
    tenant = Tenant.objects.filter(schema_name=schema).first()
    if tenant is None:
        raise CommandError(f"No tenant has the schema {schema!r}. {find_next_step(schema)}")
    return tenant


def find_next_step(schema: str) -> str:
    """Say in what state the tenant of a schema is, or which schemas there are: what an error ends with."""
    with unbound():
        tenants = Tenant.objects.exclude(schema_name__in=["", get_public_schema_name()])
        states = dict(tenants.order_by("schema_name").values_list("schema_name", "state"))
    if schema in states:
        return f"It is {states[schema]}. {NEXT_STEPS.get(states[schema], '')}".format(schema=schema).rstrip()
    if not states:
        return "There are no tenants yet. To make one: manage.py create_tenant --help"
    if close := get_close_matches(schema, states):
        return f"Did you mean {' or '.join(map(repr, close))}?"
    more = f" and {len(states) - SHOWN} more" if len(states) > SHOWN else ""
    return f"There are: {', '.join(list(states)[:SHOWN])}{more}."


class ProvisionedTenant:
    """To mix into a command of django-tenants: it runs in a tenant with a schema, or says what is wrong."""

    def run_from_argv(self, argv: list[str]) -> None:
        """As Django's, with a line instead of a traceback when the command or the tenant is unknown."""
        try:
            super().run_from_argv(argv)  # type: ignore[misc]
        except CommandError as error:
            sys.exit(f"CommandError: {error}")

    def get_tenant_from_options_or_interactive(self, **options: Any) -> Tenant:
        """Return the tenant of --schema; without it ask, if there is a terminal. Raises CommandError."""
        if schema := options.get("schema_name"):
            tenant = find_tenant(schema)
        elif sys.stdin.isatty():
            tenant = super().get_tenant_from_options_or_interactive(**options)  # type: ignore[misc]
        else:
            raise CommandError(f"Name a tenant: --schema=SCHEMA. {find_next_step('')}")
        if tenant.provisioned_at is None:
            step = NEXT_STEPS.get(tenant.state, "").format(schema=tenant.schema_name)
            raise CommandError(f"{tenant} has no schema yet: it is {tenant.state}. {step}".rstrip())
        refuse_broken(tenant)
        return tenant

    def handle(self, *args: Any, **options: Any) -> None:
        """Run it, and leave bound what was bound."""
        with unbound():
            super().handle(*args, **options)  # type: ignore[misc]
