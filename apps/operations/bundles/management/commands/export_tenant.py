"""manage.py export_tenant"""

from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.template.defaultfilters import filesizeformat

from apps.operations.bundles.exporting import export_tenant
from apps.operations.bundles.manifest import BundleError
from tenants.management.tenants import find_tenant, refuse_broken


class Command(BaseCommand):
    help = "Write a tenant's rows, vectors and files into one file, which import_tenant reads anywhere."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("schema", help="the tenant's schema")
        parser.add_argument("--to", required=True, type=Path, metavar="FILE", help="such as acme.tar.gz")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write it; what cannot be written ends in a CommandError that names it all."""
        path: Path = options["to"]
        tenant = find_tenant(options["schema"])
        if tenant.provisioned_at is not None:
            refuse_broken(tenant)
        if not path.parent.is_dir():
            raise CommandError(f"--to: there is no folder {str(path.parent)!r}. Create it first.")
        try:
            manifest = export_tenant(tenant, path)
        except BundleError as error:
            raise CommandError(f"{options['schema']} was not exported.\n{error}") from error
        except (OSError, ImproperlyConfigured) as error:
            raise CommandError(f"{options['schema']} was not exported: {error}") from error
        rows = sum(table.rows for table in manifest.tables)
        self.stdout.write(
            self.style.SUCCESS(
                f"{path}: {rows} rows, {len(manifest.files)} files, {filesizeformat(path.stat().st_size)}. "
                "It holds personal data and password hashes."
            )
        )
