"""manage.py golden_queries"""

import sys
from argparse import FileType
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.search.management.indexes import choose_indexes
from apps.search_quality.golden.exchange import InvalidGoldenLinesError, export_golden, import_golden
from tenants.management.tenants import add_schema_arguments, each_tenant


class Command(BaseCommand):
    help = "Export a tenant's golden queries as JSON lines to standard output, or import such lines."

    def create_parser(self, *args: Any, **options: Any) -> CommandParser:
        """Take FILE after options, too: argparse looks for one that may be missing before them only."""
        parser = super().create_parser(*args, **options)
        parser.parse_args = parser.parse_intermixed_args  # type: ignore[method-assign]
        return parser

    def add_arguments(self, parser: CommandParser) -> None:
        add_schema_arguments(parser, allow_all=False)
        parser.add_argument("action", choices=["export", "import"])
        reading = FileType(encoding="utf-8")
        parser.add_argument("file", nargs="?", type=reading, default=sys.stdin, help="import: the lines")
        parser.add_argument("--index", help="export: one index only (default: all)")
        parser.add_argument("--replace", action="store_true", help="import: delete all others first")

    def handle(self, *args: Any, **options: Any) -> None:
        """Carry it out. Raises CommandError, and changes nothing, when a line cannot be imported."""
        choose_indexes(options["index"])
        for tenant in each_tenant(options):
            if options["action"] == "export":
                for line in export_golden(options["index"]):
                    self.stdout.write(line)
                continue
            try:
                count = import_golden(options["file"], replace=options["replace"])
            except (InvalidGoldenLinesError, UnicodeDecodeError) as error:
                raise CommandError(str(error)) from error
            self.stdout.write(f"{tenant.schema_name}: {count} answers imported")
