"""Which spaces the bound tenant's documents are written to: the one it searches, and those of a live switch.

They change only under a lock that every write of an index holds shared, so no document goes to a space that
was given up, or misses one that was taken up.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from zlib import crc32

from django.db import transaction
from django_tenants.utils import get_tenant_model

from apps.search.models import get_live_switch
from tenants.context import connection, get_current_schema, get_current_tenant, unbound

LOCK_SPACE = 0x5ACE  # the first key of the two-key advisory locks of this module


def get_searched_space(*, lock: bool = False) -> str:
    """Return the alias of the space that the bound tenant searches, as the registry has it now.

    A bound tenant's own attribute is as old as the request or task. `lock` keeps the tenant's row as it is
    until the transaction ends, which whoever deletes a space of its own waits for. Raises NoTenantError.
    """
    schema = get_current_schema()
    with unbound():
        tenants = get_tenant_model().objects.all()
        if lock:
            tenants = tenants.select_for_update(no_key=True)
        return tenants.values_list("space", flat=True).get(schema_name=schema)


def get_written_spaces() -> list[str]:
    """Return the aliases that the bound tenant's documents are written to, the searched one first."""
    switch = get_live_switch()
    used = [switch.source, switch.target] if switch else []
    return list(dict.fromkeys([get_searched_space(), *used]))


def set_searched_space(alias: str) -> None:
    """Let the bound tenant search another space, within `changing_spaces`."""
    bound = get_current_tenant()
    with unbound():
        tenant = get_tenant_model().objects.get(pk=bound.pk)
        tenant.space = alias
        tenant.save(update_fields=["space"])  # with its signals: others may remember the tenant
    transaction.on_commit(lambda: setattr(bound, "space", alias))


@contextmanager
def changing_spaces() -> Iterator[None]:
    """Run a block in a transaction while no document is being written."""
    with transaction.atomic():
        _lock("pg_advisory_xact_lock")
        yield


def is_written(space: str) -> bool:
    """Return whether documents go to a space, and keep that so until the present transaction ends."""
    _lock("pg_advisory_xact_lock_shared")
    return space in get_written_spaces()


def _lock(function: str) -> None:
    key = crc32(get_current_schema().encode()) - 2**31  # PostgreSQL's keys are signed
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s, %s)", [LOCK_SPACE, key])
