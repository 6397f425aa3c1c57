"""From a deed to a row, in the transaction of the deed."""

import logging
from datetime import timedelta
from typing import Any

from django.db import ProgrammingError, transaction
from django.http import HttpRequest
from django.utils import timezone
from psycopg.errors import InsufficientPrivilege, UndefinedTable

from apps.accounts.access.rate_limits import get_client_address
from apps.audit.conf import conf
from apps.audit.models import Deed
from tenants.context import owner_rights
from tenants.tracing import get_request_id

logger = logging.getLogger(__name__)

LONGEST = 1_000  # characters of a value; somebody may sign in with a name of a megabyte
COLUMNS = {
    "who": 300,
    "what": 100,
    "on": LONGEST + 1,
    "whose": 63,
    "address": 100,
}  # and how long each may be
BATCH = 5_000  # rows that are deleted at once


def keep_deed(deed: dict[str, object], request: HttpRequest | None, **kwargs: Any) -> None:
    """Write the row; the receiver of `deed_done`.

    A schema that lacks the table still is to be migrated; the log has the line in any case. The row is in
    the operators' log then if there is no TENANT_ROLES: PostgreSQL finds their table behind the tenant's.
    """
    values = {name: _shorten(value) for name, value in deed.items() if value not in ("", None)}
    columns = {name: values.pop(name)[:longest] for name, longest in COLUMNS.items() if name in values}
    if request is not None:
        columns.setdefault("address", get_client_address(request))
    try:
        with transaction.atomic():
            Deed.objects.create(**columns, details=values, request_id=get_request_id())
    except ProgrammingError as error:
        # A tenant's role may not write into the table of `public`, which is found in its place.
        if not isinstance(error.__cause__, UndefinedTable | InsufficientPrivilege):
            raise
        logger.warning("This schema has no audit log yet; run manage.py migrate_schemas.")


def prune() -> int:
    """Delete the deeds of the bound schema that are older than AUDIT_DAYS; return how many there were.

    One transaction for each 5,000, so it can be stopped and started again.
    """
    if not conf.AUDIT_DAYS:
        return 0
    old = Deed.objects.filter(at__lt=timezone.now() - timedelta(days=conf.AUDIT_DAYS)).order_by("at")
    deleted = 0
    with owner_rights():
        while pks := list(old.values_list("pk", flat=True)[:BATCH]):
            deleted += Deed.objects.filter(pk__in=pks).delete()[0]
    return deleted


def _shorten(value: object) -> str:
    text = str(value).replace("\0", "\\0").encode(errors="backslashreplace").decode()
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
