"""Which spaces the bound tenant's documents are written to: the one it searches, and those that apps add.

They change only under a lock that every write of an index shares. So no document goes into a space that the
tenant has given up, and none misses a space that it has taken up.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain

from django.db import transaction
from django_tenants.utils import get_tenant_model

from tenants.context import get_current_schema, get_current_tenant, unbound
from tenants.locks import Lock, take

_finders: list[Callable[[], Mapping[str, str]]] = []


def register_live_spaces(find: Callable[[], Mapping[str, str]]) -> None:
    """Have documents written to further spaces, from an AppConfig's `ready`.

    `find()` returns the aliases for the bound tenant, each with a sentence on why the space is needed. It is
    called with every write.
    """
    if find not in _finders:
        _finders.append(find)


def get_searched_space(*, lock: bool = False) -> str:
    """Return the alias of the space that the bound tenant searches, as the registry has it now.

    The bound tenant's own attribute is as old as the request or the task. With `lock`, the tenant's row stays
    as it is until the transaction ends: the deletion of an own space waits for that. Raises NoTenantError.
    """
    schema = get_current_schema()
    with unbound():
        tenants = get_tenant_model().objects.all()
        if lock:
            tenants = tenants.select_for_update(no_key=True)
        return tenants.values_list("space", flat=True).get(schema_name=schema)


def get_written_spaces() -> list[str]:
    """Return the aliases that the bound tenant's documents are written to, the searched one first."""
    added = chain.from_iterable(find() for find in _finders)
    return list(dict.fromkeys([get_searched_space(), *added]))


def describe_uses(alias: str) -> list[str]:
    """Return, as sentences, why apps need a space for the bound tenant; empty when none does."""
    return [needed[alias] for find in _finders if alias in (needed := find())]


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
        take(Lock.SPACES, get_current_schema(), until_commit=True)
        yield


def is_written(space: str) -> bool:
    """Return whether documents go to a space, and keep that so until the present transaction ends."""
    take(Lock.SPACES, get_current_schema(), until_commit=True, shared=True)
    return space in get_written_spaces()
