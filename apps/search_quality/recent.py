"""The log of recent searches: what was asked, not by whom. SEARCH_LOG limits its length."""

import logging
from contextlib import nullcontext

from django.db import Error, transaction
from django.utils import timezone

from apps.search_quality.conf import conf
from apps.search_quality.models import RecentQuery, make_digest
from tenants.context import connection

logger = logging.getLogger(__name__)

# An answer does not wait for the disk (PostgreSQL's manual, "Asynchronous Commit"): a crash may lose the last
# notes, and nothing else. Sent with the statement, it holds for this alone.
NO_WAIT = "SET LOCAL synchronous_commit = off; "
# One statement, so one round trip and one commit. The query's own row is no candidate for the deletion: one
# statement may not delete and update a row.
NOTE_SQL = """
    WITH gone AS (
        DELETE FROM {table} WHERE id IN (
            SELECT id FROM {table} WHERE digest <> %(digest)s
            ORDER BY last_at DESC, id DESC OFFSET %(others)s
        )
    )
    INSERT INTO {table} AS known (index_name, query, mode, digest, times, last_at)
    VALUES (%(index_name)s, %(query)s, %(mode)s, %(digest)s, 1, %(last_at)s)
    ON CONFLICT (digest) DO UPDATE SET times = known.times + 1, last_at = excluded.last_at
"""


def note_search(index_name: str, query: str, mode: str) -> None:
    """Count a search of the bound tenant, and delete the oldest rows beyond SEARCH_LOG.

    A failure is logged, without the query, and not raised: the search has its answer already.
    """
    if conf.SEARCH_LOG < 1:
        return
    values = {"index_name": index_name, "query": query, "mode": mode, "last_at": timezone.now()}
    values |= {"digest": make_digest(index_name, query, mode), "others": conf.SEARCH_LOG - 1}
    table = connection.ops.quote_name(RecentQuery._meta.db_table)
    # Inside a transaction, a failure without a savepoint would fail all that follows.
    savepoint = transaction.atomic() if connection.in_atomic_block else nullcontext()
    prefix = "" if connection.in_atomic_block else NO_WAIT  # a caller's transaction stays as safe as it is
    try:
        with savepoint, connection.cursor() as cursor:
            cursor.execute(prefix + NOTE_SQL.format(table=table), values)
    except Error as error:
        logger.warning("A search could not be noted in the log: %s.", type(error).__name__)


def list_recent(index_name: str, limit: int | None = None) -> list[RecentQuery]:
    """Return an index's recent searches, the latest first; none while SEARCH_LOG is 0."""
    kept = conf.SEARCH_LOG if limit is None else min(limit, conf.SEARCH_LOG)
    return list(RecentQuery.objects.filter(index_name=index_name)[:kept])


def list_recent_texts(index_name: str, limit: int) -> list[str]:
    """Return what was searched for lately, each text once, the latest first."""
    return list(dict.fromkeys(recent.query for recent in list_recent(index_name)))[:limit]
