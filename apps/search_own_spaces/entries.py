"""The bound tenant's own spaces as entries, such as settings.EMBEDDINGS holds."""

from functools import partial
from typing import Any

from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from apps.search_own_spaces.models import OwnSpace
from tenants.context import NoTenantError, get_current_schema
from tenants.memory import TenantMemory
from tenants.validators import OWN_SPACE_PREFIX

SECONDS = 5.0  # for so long another process believes what was true
MAX_ENTRIES = 1_000  # of all tenants

_entries: TenantMemory[dict[str, Any] | None] = TenantMemory(seconds=SECONDS, size=MAX_ENTRIES)


def find_entry(alias: str) -> dict[str, Any] | None:
    """Return the entry of the bound tenant's own space, or None if it has none of that alias.

    Raises NoTenantError for an alias that only a tenant can have, while none is bound.
    """
    if not alias.startswith(OWN_SPACE_PREFIX):
        return None
    get_current_schema()  # raises NoTenantError

    def read() -> dict[str, Any] | None:
        space = OwnSpace.objects.filter(alias=alias).first()
        return space.make_entry() if space else None

    return _entries.get(alias, read)


def list_aliases() -> list[str]:
    """Return the aliases of the bound tenant's own spaces, none where no tenant is bound."""
    try:
        get_current_schema()
    except NoTenantError:
        return []
    return list(OwnSpace.objects.order_by("alias").values_list("alias", flat=True))


def forget_entry(alias: str) -> None:
    """Read the bound tenant's space anew at the next call, in this process."""
    _entries.forget(alias)


@receiver([post_save, post_delete], sender=OwnSpace, dispatch_uid="own_spaces")
def _forget_instance(instance: OwnSpace, **kwargs: Any) -> None:
    forget_entry(instance.alias)
    # Another thread may have read the old row until now.
    transaction.on_commit(partial(forget_entry, instance.alias))
