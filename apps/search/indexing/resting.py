"""Lets the ANN indexes of all quiet and suspended tenants rest."""

import logging
from collections.abc import Iterator

from django_tenants.utils import get_tenant_model

from apps.search.storage.pgvector.ann.resting import find_schemas, rest_ann_indexes
from tenants.context import connection, tenant_context, unbound

logger = logging.getLogger(__name__)


def rest_everywhere() -> Iterator[tuple[str, int]]:
    """Drop the ANN indexes that no search has used for long, and all of suspended tenants.

    Yields the label of each and the bytes that it had. Nothing where PGVECTOR["REST_AFTER_DAYS"] is None.
    One tenant's fault keeps no other from its turn; the log has it.
    """
    with unbound():
        tenants = get_tenant_model().objects.filter(state__in=("active", "suspended"))
        due = list(tenants.filter(schema_name__in=find_schemas()).order_by("schema_name"))
    for tenant in due:
        try:
            with tenant_context(tenant):
                rested = list(rest_ann_indexes(at_once=tenant.state == "suspended"))
        except Exception:
            logger.exception("The ANN indexes of %s could not rest", tenant.schema_name)
            rested = []
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
        yield from rested
