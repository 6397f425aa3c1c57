"""Takes an ANN index out of the way of a bulk write: to build it anew is quicker than to insert every row.

Inserting takes some 6 ms a row, building 0.5 ms. Searches are exact from the drop until a worker has built
the ANN index again.
"""

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import Error, connections
from django.dispatch import Signal

from apps.search.storage.pgvector.ann.builder import AnnIndexBusyError, drop_ann_index
from apps.search.storage.pgvector.conf import conf
from apps.search.storage.pgvector.tables.ann_index import AnnIndex, find_ann_index, get_declared_ann_index
from tenants.context import connection, get_current_schema, get_current_tenant, owner_rights, tenant_context

logger = logging.getLogger(__name__)

WORTH = 4  # a write of a fourth of the rows; searches would be slow for a small one, too
PATIENCE = "5s"  # for other sessions' transactions on the table; then the rows are inserted one by one
OWN_LOCK = "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = pg_backend_pid() AND relation = to_regclass(%s))"

# Sent by the table's model: an ANN index is about to be dropped for a bulk write, or was, or has lost many
# rows. The receiver lets a worker look after it.
ann_index_outdated = Signal()


def find_in_the_way(
    model: Any, space: str, index_name: str, dimensions: int | None, rows: int
) -> AnnIndex | None:
    """Return the ANN index that so many new rows should not be inserted into, or None.

    None for an ANN index that the model declares: only a migration may drop it.
    """
    most = conf.BULK_ROWS
    if most is None or rows <= most or get_declared_ann_index(model) is not None:
        return None
    index = find_ann_index(model, space, index_name, dimensions)
    return index if index and rows * WORTH >= index.rows and ann_index_outdated.has_listeners(model) else None


def tell_of_deletions(model: Any, space: str, index_name: str, dimensions: int | None, rows: int) -> None:
    """Let a worker look after an ANN index that has lost so many rows, in the current transaction."""
    most = conf.BULK_ROWS
    if most is not None and rows > most and find_ann_index(model, space, index_name, dimensions):
        ann_index_outdated.send(model)


def make_way(model: Any, index: AnnIndex) -> bool:
    """Drop the ANN index in a session of its own, at once and for good; return whether that was possible.

    The task that builds it again is written first, so nobody who is killed leaves the tenant without. Other
    sessions search and write meanwhile. It is not possible where this session's transaction has touched the
    table, for which the other session would wait, and while a worker builds the ANN index.
    """
    quote = connection.ops.quote_name
    with owner_rights(), connection.cursor() as cursor:  # as a tenant's role may not
        cursor.execute(OWN_LOCK, [f"{quote(get_current_schema())}.{quote(model._meta.db_table)}"])
        if cursor.fetchone()[0]:
            return False
    with ThreadPoolExecutor(1) as pool:  # a thread has sessions of its own
        return pool.submit(_drop, model, index.name, get_current_tenant()).result()


def _drop(model: Any, name: str, tenant: Any) -> bool:
    try:
        with tenant_context(tenant):
            ann_index_outdated.send(model)
            drop_ann_index(name, patience=PATIENCE)
    except (AnnIndexBusyError, Error) as error:
        logger.warning("The ANN index %s stays while many rows are inserted: %s", name, error)
        return False
    finally:
        connections.close_all()
    return True
