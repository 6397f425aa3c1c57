"""What refuses to carry an object from one tenant into another: the database router, and bulk writes."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from django.db.models import Model, QuerySet

from tenants.binding.homes import check_home, claim, get_home
from tenants.context import TenantMismatchError


class TenantRouter:
    """Django asks it before an object is saved, deleted, refreshed, related or followed to a related one.

    Without it, an object that was loaded in tenant A and saved in tenant B would overwrite the row of the
    same key in B.
    """

    def db_for_read(self, model: type[Model], instance: Model | None = None, **hints: Any) -> None:
        """Leave the choice to Django. Raises TenantMismatchError for another tenant's object."""
        if instance is not None:
            check_home(instance)

    db_for_write = db_for_read

    def allow_relation(self, one: Model, other: Model, **hints: Any) -> None:
        """Leave the choice to Django. Raises TenantMismatchError for objects of two tenants."""
        homes = {get_home(one), get_home(other)} - {None}
        if len(homes) > 1:
            raise TenantMismatchError(
                f"This {one._meta.label} of the schema {get_home(one)!r} cannot be related to a "
                f"{other._meta.label} of {get_home(other)!r}, where its key is another object's."
            )


def guard_bulk_writes() -> None:
    """Make bulk_create and bulk_update refuse another tenant's objects, for which Django asks no router.

    bulk_update would overwrite the rows of the bound tenant that have the same keys.
    """
    for name in ("bulk_create", "bulk_update"):
        method = getattr(QuerySet, name)
        if not getattr(method, "knows_tenants", False):
            setattr(QuerySet, name, _refusing_others(method))


def _refusing_others(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def write(self: QuerySet, objs: Iterable[Model], *args: Any, **kwargs: Any) -> Any:
        objs = list(objs)
        for instance in objs:
            if instance._state.adding:  # what is nobody's row yet may become one of any tenant
                claim(instance)
            else:
                check_home(instance)
        return method(self, objs, *args, **kwargs)

    write.knows_tenants = True  # type: ignore[attr-defined]
    return write
