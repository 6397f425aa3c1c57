"""manage.py rest_vector_indexes"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.template.defaultfilters import filesizeformat

from apps.search.indexing.resting import rest_everywhere
from apps.search.storage.pgvector.conf import conf


class Command(BaseCommand):
    """Free what the vector indexes of tenants take that nobody searches; for a nightly job."""

    help = (
        "Drop the vector indexes that no search has used for PGVECTOR['REST_AFTER_DAYS'] days, and all of "
        "suspended tenants. Their searches are exact until the first one has the index built again."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what each takes, and the sum. Raises CommandError where the setting is off."""
        if conf.REST_AFTER_DAYS is None:
            raise CommandError(
                'PGVECTOR["REST_AFTER_DAYS"] is None: no vector index rests. Give it a number.'
            )
        freed = 0
        for label, size in rest_everywhere():
            self.stdout.write(f"{label} rests: {_format(size)}")
            freed += size
        self.stdout.write(f"{_format(freed)} of disk, and up to as much memory, are free.")


def _format(size: int) -> str:
    return filesizeformat(size).replace("\xa0", " ")
