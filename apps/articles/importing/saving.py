"""Records into articles: an upsert by key, with the indexing tasks in the same transaction."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import batched

from django.db import transaction

from apps.articles.importing.records import FIELDS, Record
from apps.articles.models import Article
from apps.search.indexing.tasks import enqueue_indexing
from tenants.locks import retry_deadlocks

BATCH = 200


@dataclass
class Summary:
    """How many records were new, changed an article, or were as stored already.

    `overwritten` counts those whose key came again later in the same import; only the last is stored.
    """

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    overwritten: int = 0


def import_records(records: Iterable[Record]) -> Summary:
    """Create or update the bound tenant's articles; of equal keys the last wins.

    Each batch is one transaction that also writes the tasks which index what is new or changed, so a stopped
    import leaves whole batches behind, and importing again goes on from there.
    """
    summary = Summary()
    keys: set[str] = set()
    for batch in batched(records, BATCH):
        latest = {record.key: asdict(record) for record in batch}
        summary.overwritten += len(batch) - len(latest.keys() - keys)
        keys.update(latest)
        _import_batch(latest, summary)
    return summary


@retry_deadlocks
def _import_batch(records: dict[str, dict[str, str]], summary: Summary) -> None:
    with transaction.atomic():
        stored = {row["key"]: row for row in Article.objects.filter(key__in=records).values(*FIELDS)}
        changed = [record for key, record in sorted(records.items()) if record != stored.get(key)]
        # In the order in which indexing locks them. What is new is locked in the order of the keys.
        known = Article.objects.filter(key__in=[record["key"] for record in changed]).order_by("pk")
        list(known.select_for_update(no_key=True).values_list("pk"))
        articles = Article.objects.bulk_create(
            [Article(**record) for record in changed],
            update_conflicts=True,
            unique_fields=["key"],
            update_fields=[*FIELDS[1:], "updated_at"],
        )
        enqueue_indexing(Article, [article.pk for article in articles])
    updated = sum(record["key"] in stored for record in changed)
    summary.updated += updated
    summary.created += len(changed) - updated
    summary.unchanged += len(records) - len(changed)
