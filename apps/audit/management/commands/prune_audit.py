"""manage.py prune_audit"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.audit.conf import conf
from apps.audit.recording import prune
from tenants.context import unbound
from tenants.management.tenants import add_schema_arguments, work_in_each


class Command(BaseCommand):
    """Delete deeds that are older than AUDIT_DAYS. Running twice is harmless."""

    help = "Delete from the audit logs what is older than AUDIT_DAYS. --all includes the operators' own."

    def add_arguments(self, parser: CommandParser) -> None:
        add_schema_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Go through the tenants; raises CommandError at the end if some failed."""
        if not conf.AUDIT_DAYS:
            self.stdout.write("AUDIT_DAYS is 0: all deeds are kept.")
            return
        if options["all"]:
            with unbound():
                self._report("public", prune())
        faults = work_in_each(options, lambda tenant: self._report(tenant.schema_name, prune()))
        if faults:
            raise CommandError("\n".join(faults))

    def _report(self, schema: str, deleted: int) -> None:
        self.stdout.write(f"{schema}: {deleted} deeds deleted")
