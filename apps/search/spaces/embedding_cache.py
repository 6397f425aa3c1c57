"""Vectors of texts that were embedded for the bound tenant before.

A vector is found by what it was made from: the model with its dimensions, the prefix, the text. It serves
every space and index of the tenant, and no other tenant: the table is in the tenant's schema. When there are
more rows than settings.EMBEDDING_CACHE["ROWS"], those used longest ago go first.
"""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import batched
from typing import Any

import numpy as np
from django.core.cache import cache
from django.db import transaction
from django.db.models import QuerySet, Sum
from django.utils import timezone

from apps.search.conf import conf
from apps.search.embedders import BaseEmbedder, InvalidTextError
from apps.search.embedders.base import Vectors
from apps.search.models import CachedVector, CacheUse
from apps.search.spaces.budget import asking
from tenants.context import connection
from tenants.memory import TenantMemory

logger = logging.getLogger(__name__)

ROWS = 100_000
TELL_INTERVAL = 600  # seconds between two lines in the log on texts that are cut
TRIM_INTERVAL = 60  # seconds
TRIM_KEY = "search:embedding-cache"  # in Django's cache, which keeps each tenant's keys apart
DAYS_SHOWN = 30
COUNT = """
    INSERT INTO {table} (day, hits, misses) VALUES (%s, %s, %s)
    ON CONFLICT (day) DO UPDATE
    SET hits = {table}.hits + EXCLUDED.hits, misses = {table}.misses + EXCLUDED.misses
"""


_told: TenantMemory[bool] = TenantMemory(seconds=TELL_INTERVAL, size=10_000)


@dataclass(frozen=True)
class CacheReport:
    """How many vectors the bound tenant's cache holds, and how often it helped in the last 30 days."""

    rows: int
    limit: int
    hits: int
    misses: int

    @property
    def hit_rate(self) -> float | None:
        """The share of texts that were not embedded again, 0 to 1; None where there were none."""
        total = self.hits + self.misses
        return self.hits / total if total else None


def get_rows() -> int:
    """Return how many vectors a tenant's cache may hold (EMBEDDING_CACHE["ROWS"]); 0 switches it off."""
    return conf.EMBEDDING_CACHE.get("ROWS", ROWS)


def embed_documents(space: str, embedder: BaseEmbedder, texts: Sequence[str]) -> Vectors:
    """Return the texts' vectors, as the space's embedder makes them, from the cache where possible.

    Other texts are embedded once, however often they are given, a request at a time and within the space's
    limits. Raises what the embedder raises; what was embedded before that is kept.
    """
    if not texts or not embedder.is_worth_caching or not get_rows():
        parts = [_embed(space, embedder, part, texts) for part in batched(texts, embedder.batch_size)]
        return np.concatenate([np.empty((0, embedder.dimensions), dtype=np.float32), *parts])
    keys = [_make_key(embedder, text) for text in texts]
    vectors = _find(keys, embedder.dimensions)
    unknown = {key: text for key, text in zip(keys, texts, strict=True) if key not in vectors}
    statement = COUNT.format(table=connection.ops.quote_name(CacheUse._meta.db_table))
    with connection.cursor() as cursor:
        cursor.execute(statement, [timezone.localdate(), len(texts) - len(unknown), len(unknown)])
    for part in batched(unknown, embedder.batch_size):
        made = _embed(space, embedder, [unknown[key] for key in part], texts)
        vectors |= zip(part, made, strict=True)
        _store({key: vectors[key] for key in part})
    return np.stack([vectors[key] for key in keys])


def report_cache() -> CacheReport:
    """Return how full the bound tenant's cache is, and how often it helped."""
    since = timezone.localdate() - timedelta(days=DAYS_SHOWN)
    used = CacheUse.objects.filter(day__gt=since).aggregate(hits=Sum("hits"), misses=Sum("misses"))
    return CacheReport(CachedVector.objects.count(), get_rows(), used["hits"] or 0, used["misses"] or 0)


def trim_cache() -> int:
    """Delete the vectors used longest ago, down to the allowed number of rows; return how many went."""
    surplus = CachedVector.objects.count() - get_rows()
    if surplus <= 0:
        return 0
    with transaction.atomic():
        return _unlocked(CachedVector.objects.order_by("used_on", "pk")[:surplus]).delete()[0]


def _embed(space: str, embedder: BaseEmbedder, part: Sequence[str], texts: Sequence[str]) -> Vectors:
    try:
        with asking(space, part):
            vectors = embedder.embed_documents(part)
    except InvalidTextError as error:
        raise InvalidTextError(texts.index(part[error.position]), error.reason) from error
    _tell_of_cuts(space, embedder, part)
    return vectors


def _tell_of_cuts(space: str, embedder: BaseEmbedder, texts: Sequence[str]) -> None:
    limit = embedder.token_limit
    longest = max(map(embedder.count_tokens, texts)) if limit else 0
    if limit and longest > limit:
        # Once in a while: an import may have thousands of such texts. manage.py doctor counts them.
        message = (
            "space %r: a text has %d tokens, of which %d are read; what is beyond is found by words only"
        )

        def tell() -> bool:
            logger.warning(message, space, longest, limit)
            return True

        _told.get(space, tell)


def _make_key(embedder: BaseEmbedder, text: str) -> bytes:
    parts = (embedder.model_id, str(embedder.dimensions), embedder.document_prefix, text)
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode(errors="surrogatepass")
        digest.update(len(encoded).to_bytes(8) + encoded)
    return digest.digest()


def _find(keys: Sequence[bytes], dimensions: int) -> dict[bytes, Any]:
    today = timezone.localdate()
    rows = CachedVector.objects.filter(key__in=set(keys))
    stored = rows.values_list("key", "vector", "used_on")
    found, is_old = {}, False
    for key, vector, used_on in stored:
        found[bytes(key)] = np.frombuffer(vector, np.float32)
        is_old |= used_on < today
    if is_old:
        with transaction.atomic():
            _unlocked(rows.filter(used_on__lt=today)).update(used_on=today)
    return {key: vector for key, vector in found.items() if len(vector) == dimensions}


def _unlocked(rows: QuerySet) -> QuerySet:
    """Return those of the rows that no other transaction has locked, so that nothing waits."""
    locked = rows.select_for_update(skip_locked=True).values("pk")
    return CachedVector.objects.filter(pk__in=locked)


def _store(made: dict[bytes, Any]) -> None:
    today = timezone.localdate()
    # Sorted: two workers that store the same vectors in different orders would wait for each other for ever.
    rows = [CachedVector(key=key, vector=made[key].tobytes(), used_on=today) for key in sorted(made)]
    CachedVector.objects.bulk_create(rows, ignore_conflicts=True)
    if rows and cache.add(TRIM_KEY, True, TRIM_INTERVAL):
        trim_cache()
