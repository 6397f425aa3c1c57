"""manage.py rebuild_index"""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from apps.search.indexes.registry import get_index_names
from apps.search.indexing.batches import count_objects, rebuild_index
from apps.search.indexing.tasks import enqueue_maintenance, start_run
from apps.search.providers import get_provider
from apps.search.spaces.live_spaces import get_written_spaces
from tenants.management.tenants import add_schema_arguments, each_tenant


class Command(BaseCommand):
    """Bring indexes up to date, in this process. Stopped and started again, it skips what is done."""

    help = "Index what is missing or changed, and remove what is gone. Can be stopped and run again."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare which tenants, which index and which space."""
        add_schema_arguments(parser)
        parser.add_argument("--index", help="one index only (default: all)")
        parser.add_argument("--space", help="an alias of settings.EMBEDDINGS (default: the tenant's own)")
        parser.add_argument("--queue", action="store_true", help="leave it to the workers")

    def handle(self, *args: Any, **options: Any) -> None:
        """Go through the tenants and their indexes, with a progress bar; one that fails stops no other."""
        failures = []
        indexes = _get_indexes(options["index"])
        for tenant in each_tenant(options):
            try:
                self._deal_with(tenant.schema_name, indexes, options)
            except CommandError as error:
                if not options["all"]:
                    raise
                failures.append(f"{tenant.schema_name}: {error}")
        if failures:
            raise CommandError("\n".join(failures))

    def _deal_with(self, schema: str, indexes: list[str], options: dict[str, Any]) -> None:
        for index in indexes:
            if options["queue"]:
                self.stdout.write(_queue(schema, index, options["space"]))
                continue
            changed = self._rebuild(schema, index, options["space"])
            self.stdout.write(f"{schema}: index {index}: {changed} documents changed")
        enqueue_maintenance()

    def _rebuild(self, schema: str, index: str, space: str | None) -> int:
        _check(index, space)
        with tqdm(total=count_objects(index), desc=f"{schema}/{index}", unit=" objects") as bar:
            return rebuild_index(index, space=space, progress=bar.update)


def _get_indexes(named: str | None) -> list[str]:
    known = get_index_names()
    if named is None:
        return known
    if named not in known:
        listed = ", ".join(known) or "none"
        raise CommandError(f"--index: There is no index {named!r}. Known indexes: {listed}.")
    return [named]


def _queue(schema: str, index: str, space: str | None) -> str:
    _check(index, space)
    written = get_written_spaces()
    if space and space not in written:
        raise CommandError(f"--space: {schema} writes to {', '.join(written)}; workers fill no other space.")
    runs = [start_run(index, alias) for alias in ([space] if space else written)]
    return "\n".join(f"{schema}: run {run.pk}, {run}" for run in runs)


def _check(index: str, space: str | None) -> None:
    try:
        get_provider(index, space=space)
    except ImproperlyConfigured as error:
        raise CommandError(f"--space: {error}") from error
