"""manage.py delete_tenant"""

import json
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.operations.deletion.deleting import BusyTenantError, delete_with_proof, finish_deletion
from apps.operations.deletion.remains import as_lines
from apps.operations.deletion.scheduling import MOST_DAYS, keep_tenant, schedule_deletion
from tenants.audit import record
from tenants.context import unbound
from tenants.management.numbers import number_within
from tenants.management.tenants import find_next_step
from tenants.models import DeletionReport, Tenant
from tenants.validators import is_schema_name


class Command(BaseCommand):
    """Close a tenant and delete it later, or at once, or keep it after all."""

    help = (
        "Close a tenant; a worker deletes it with all its data when the days of grace are over. --keep "
        "undoes that. --now deletes it at once, looks whether anything is left, and says so; it may be run "
        "again. Exit code 1 when something is left."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare whom, when, and the switch that skips the question."""
        whom = parser.add_mutually_exclusive_group(required=True)
        whom.add_argument("schema", nargs="?", help="the schema of the tenant")
        whom.add_argument("--schema", dest="schema_option", metavar="SCHEMA", help="the same")
        when = parser.add_mutually_exclusive_group()
        when.add_argument(
            "--days",
            type=number_within(float, 0, MOST_DAYS),
            help="of grace (default: settings.DELETION_GRACE_DAYS)",
        )
        when.add_argument("--now", action="store_true", help="delete for ever, and print the report")
        when.add_argument("--keep", action="store_true", help="undo a deletion that is to come")
        parser.add_argument("--json", action="store_true", help="with --now: the report for programs")
        parser.add_argument("--noinput", action="store_false", dest="interactive", help="do not ask")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it, after the tenant's name was typed. Raises CommandError with what is left."""
        self.options = options
        schema = options["schema"] or options["schema_option"] or ""
        tenant = Tenant.objects.filter(schema_name=schema).first()
        try:
            if tenant is None:
                self._finish(schema)
            elif not is_schema_name(schema):
                self._delete_row(tenant)
            elif options["keep"]:
                keep_tenant(tenant)
                self.stdout.write(self.style.SUCCESS(f"{tenant.name} is kept. It is {tenant.state}."))
            elif options["now"]:
                self._ask(tenant, "This deletes {} and all its data, for ever.")
                self._show(delete_with_proof(tenant))
            else:
                self._schedule(tenant)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except BusyTenantError as error:
            raise CommandError(str(error)) from error

    def _ask(self, tenant: Tenant, warning: str) -> None:
        if not self.options["interactive"]:
            return
        self.stdout.write(warning.format(f"{tenant.name} ({tenant.url})"))
        try:
            answer = input("Type the tenant's name to go on: ")
        except EOFError as error:
            raise CommandError("Nobody answers; nothing was deleted. To go on unasked: --noinput") from error
        if answer != tenant.name:
            raise CommandError(f"{answer!r} is not its name, {tenant.name!r}; nothing was deleted.")

    def _delete_row(self, tenant: Tenant) -> None:
        """Delete a row that is broken. No schema, role, task or file is its own, so no other thing goes."""
        name = repr(tenant.schema_name)
        if not self.options["now"]:
            raise CommandError(f"No tenant's schema can have the name {name}. To delete the row: --now")
        self._ask(tenant, f"No tenant's schema can have the name {name}. This deletes the row of {{}} alone.")
        with unbound():
            tenant.delete()
        record("delete", whose=tenant.schema_name)
        self.stdout.write(self.style.SUCCESS(f"The row of {tenant.name} is deleted, with its domains."))

    def _schedule(self, tenant: Tenant) -> None:
        self._ask(tenant, "This closes {} now and deletes it later.")
        schedule_deletion(tenant, self.options["days"])
        when = f"{tenant.delete_after:%Y-%m-%d %H:%M} UTC"
        self.stdout.write(self.style.SUCCESS(f"{tenant.name} is closed. A worker deletes it after {when}."))
        self.stdout.write(f"Until then: manage.py delete_tenant {tenant.schema_name} --keep")

    def _finish(self, schema: str) -> None:
        """Go on with a deletion that was cut short or left something; of a clean one, prove it again."""
        report = DeletionReport.objects.filter(schema_name=schema).first()
        if report is None:
            raise CommandError(f"No tenant has the schema {schema!r}. {find_next_step(schema)}")
        if not self.options["now"]:
            raise CommandError(f"{report} was deleted. To look again: manage.py delete_tenant {schema} --now")
        self._show(finish_deletion(report))

    def _show(self, report: DeletionReport) -> None:
        if self.options["json"]:
            self.stdout.write(json.dumps(report.as_dict(), indent=2))
        else:
            self.stdout.write("\n".join(as_lines(report.looks)))
        if not report.is_clean:
            raise CommandError(
                f"{report.name} is deleted, but something is left in {report.remainders} places. Do what the "
                f"report says, then: manage.py delete_tenant {report.schema_name} --now"
            )
        if not self.options["json"]:
            self.stdout.write(self.style.SUCCESS(f"{report.name} is deleted. Nothing of it was found."))
