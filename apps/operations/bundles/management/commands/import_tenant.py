"""manage.py import_tenant"""

from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.operations.bundles.checking import check_bundle
from apps.operations.bundles.importing import Imported, import_tenant
from apps.operations.bundles.manifest import BundleError, Manifest
from tenants.models import Tenant

CHANGES = ("subdomain", "name", "owner_email")


class Command(BaseCommand):
    help = (
        "Make a tenant of a file that export_tenant wrote. Nothing is embedded. What does not fit is refused "
        "with all reasons. Import only what you trust: it brings members and their rights."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--check", action="store_true", help="only say whether it fits")
        parser.add_argument("--subdomain", help="for a copy: the first label of its host")
        parser.add_argument("--name", help="for a copy: what it is called")
        parser.add_argument("--owner-email", help="becomes a member with all rights and is invited")
        parser.add_argument(
            "--moved",
            action="store_true",
            help="there is no other host any more: API keys stay valid at the new one",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Check or import it; what does not fit ends in a CommandError that names it all."""
        path: Path = options["file"]
        changes = {name: options[name] for name in CHANGES if options[name] is not None}
        try:
            if options["check"]:
                manifest, tenant = check_bundle(path, changes)
                self._describe(manifest, tenant)
            else:
                self._report(import_tenant(path, changes=changes, is_moved=options["moved"]))
        except BundleError as error:
            raise CommandError(f"{path} does not fit:\n{error}") from error
        except (OSError, ImproperlyConfigured) as error:
            raise CommandError(f"{path} was not imported: {error}") from error

    def _describe(self, manifest: Manifest, tenant: Tenant) -> None:
        rows = sum(table.rows for table in manifest.tables)
        self.stdout.write(
            f"{manifest.tenant.hostname} as it was at {manifest.made_at:%Y-%m-%d %H:%M:%S} UTC: {rows} rows, "
            f"{len(manifest.files)} files."
        )
        self.stdout.write(self.style.SUCCESS(f"It fits, and would be at {tenant.url}"))

    def _report(self, imported: Imported) -> None:
        tenant = imported.tenant
        self.stdout.write(self.style.SUCCESS(f"{tenant.name} is at {tenant.url}"))
        for line in imported.remarks:
            self.stdout.write(line)
        if imported.link:
            self.stdout.write(f"{tenant.owner_email} sets a password at {imported.link}")
        if tenant.state == Tenant.State.SUSPENDED:
            self.stdout.write("It is suspended, as it was. Resume it in the operators' admin.")
