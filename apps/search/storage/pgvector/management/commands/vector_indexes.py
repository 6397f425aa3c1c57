"""manage.py vector_indexes"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.template.defaultfilters import filesizeformat

from apps.search.storage.pgvector.ann.report import AnnIndexStatus, carry_out, report_ann_indexes
from tenants.management.tenants import add_schema_arguments, work_in_each

HEADINGS = ("schema", "space", "index", "rows", "mode", "size", "recall@10", "action", "why")
ROW = "{:<20} {:<12} {:<16} {:>10} {:<8} {:>9} {:>9} {:<7} {}"


class Command(BaseCommand):
    """Show the ANN indexes and what should change about them; with --apply, change it."""

    help = (
        "List each index with its rows, how it is searched, the size of its ANN index, its recall@10 against "
        "an exact search, and what should change and why. --apply does it; workers do it by themselves, too."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare which tenants, which index, and what to do."""
        add_schema_arguments(parser)
        parser.add_argument("--index", help="one index only (default: all)")
        parser.add_argument("--apply", action="store_true", help="build, rebuild and drop as proposed")
        parser.add_argument("--no-recall", action="store_true", help="do not measure the recall: quicker")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the table, tenant by tenant. Raises CommandError when an action failed."""
        failures: list[str] = []
        named, shown = options["index"], []
        known: set[str] = set()
        self.stdout.write(ROW.format(*HEADINGS))

        def show(tenant: Any) -> None:
            statuses = report_ann_indexes(index_name=named, with_recall=not options["no_recall"])
            shown.extend(statuses)
            if named and not statuses:
                known.update(status.index_name for status in report_ann_indexes() if status.index_name)
            for status in statuses:
                self.stdout.write(_format(status))
            for status, fault in carry_out(statuses if options["apply"] else (), progress=self._announce):
                self.stdout.write(f"{status.label}: {status.action} {'failed' if fault else 'done'}")
                failures.extend([fault] if fault else [])

        failures += work_in_each(options, show)
        if named and not shown:
            listed = ", ".join(sorted(known)) or "none"
            failures.append(
                f"--index: There is no index {named!r} with vectors here. Known indexes: {listed}."
            )
        if failures:
            raise CommandError("\n".join(failures))

    def _announce(self, status: AnnIndexStatus) -> None:
        self.stdout.write(f"{status.label}: {status.action} of {status.name}, {status.table_rows:,} rows ...")


def _format(status: AnnIndexStatus) -> str:
    recall = "-" if status.recall is None else f"{status.recall:.3f}"
    size = filesizeformat(status.size).replace("\xa0", " ") if status.size else "-"
    return ROW.format(
        status.schema,
        status.space or "?",
        status.index_name or "?",
        f"{status.rows:,}",
        status.mode,
        size,
        recall,
        status.action,
        status.why,
    )
