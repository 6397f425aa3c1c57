"""manage.py rebuild_index"""

import logging
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.search.indexing.batches import count_objects, rebuild_index
from apps.search.indexing.tasks import enqueue_maintenance, start_run
from apps.search.management.indexes import choose_indexes
from apps.search.providers import get_provider
from apps.search.spaces.live_spaces import get_written_spaces
from tenants.audit import record
from tenants.management.progress import Bar
from tenants.management.tenants import add_schema_arguments, work_in_each

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    """Bring indexes up to date, in this process. Stopped and started again, it skips what is done."""

    help = "Index what is missing or changed, and remove what is gone. Can be stopped and run again."

    def add_arguments(self, parser: CommandParser) -> None:
        add_schema_arguments(parser)
        parser.add_argument("--index", help="one index only (default: all)")
        parser.add_argument("--space", help="an alias of settings.EMBEDDINGS (default: the tenant's own)")
        parser.add_argument("--queue", action="store_true", help="leave it to the workers")

    def handle(self, *args: Any, **options: Any) -> None:
        """Go through tenants and indexes, with a progress bar; one that fails stops no other."""
        names, failures = choose_indexes(options["index"]), []

        def rebuild(tenant: Any) -> None:
            schema = tenant.schema_name
            for index in names:
                try:
                    self._deal_with(schema, index, options["space"], options["queue"])
                except CommandError:
                    raise
                except Exception as error:
                    logger.exception("Rebuilding the index %s of %s failed", index, schema)
                    failures.append(f"{schema}: index {index}: {type(error).__name__}: {error}")
            if not options["queue"]:
                enqueue_maintenance()

        failures += work_in_each(options, rebuild)
        if failures:
            raise CommandError("\n".join(failures))

    def _deal_with(self, schema: str, index: str, space: str | None, is_queued: bool) -> None:
        try:
            get_provider(index, space=space)
        except ImproperlyConfigured as error:
            raise CommandError(f"--space: {error}") from error
        if not is_queued:
            with Bar(total=count_objects(index), desc=f"{schema}/{index}", unit=" objects") as bar:
                changed = rebuild_index(index, space=space, progress=bar.update)
            record("rebuild index", index, documents=changed)
            self.stdout.write(f"{schema}: index {index}: {changed} documents changed")
            return
        written = get_written_spaces()
        if space and space not in written:
            raise CommandError(
                f"--space: {schema} writes to {', '.join(written)}; workers fill no other space."
            )
        for alias in [space] if space else written:
            run = start_run(index, alias)
            self.stdout.write(f"{schema}: run {run.pk}, {run}")
