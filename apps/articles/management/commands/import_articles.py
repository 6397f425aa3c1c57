"""manage.py import_articles"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.articles.importing.readers import count_bytes, read_paths
from apps.articles.importing.records import Record, Rejected
from apps.articles.importing.saving import import_records
from tenants.management.progress import Bar
from tenants.management.tenants import add_schema_arguments, each_tenant


class Command(BaseCommand):
    """Import files as articles of a tenant. A worker indexes them."""

    help = "Import .txt, .md, .html, .jsonl and .csv files, or folders of them; a known key is updated."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the tenant and the paths."""
        add_schema_arguments(parser, allow_all=False)
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")

    def handle(self, *args: Any, **options: Any) -> None:
        """Import what can be imported; one line for each rejected record, then a summary."""
        paths: list[Path] = options["paths"]
        if missing := [str(path) for path in paths if not path.exists()]:
            raise CommandError(f"PATH: no such file or folder: {', '.join(missing)}.")
        rejected: list[Rejected] = []
        for tenant in each_tenant(options):
            with Bar(total=count_bytes(paths), desc=tenant.schema_name, unit="B", unit_scale=True) as bar:
                summary = import_records(self._accepted(paths, rejected, bar.update))
        self.stdout.write(
            f"{summary.created} created, {summary.updated} updated, {summary.unchanged} unchanged, "
            f"{len(rejected)} rejected."
        )
        if summary.overwritten:
            self.stdout.write(
                f"{summary.overwritten} overwritten: their key came again; the last one counts."
            )

    def _accepted(
        self, paths: list[Path], rejected: list[Rejected], on_bytes: Callable[[int], object]
    ) -> Iterator[Record]:
        for record in read_paths(paths, on_bytes):
            if isinstance(record, Record):
                yield record
            else:
                rejected.append(record)
                Bar.write(f"{record.place}: {record.reason}", file=self.stderr)
