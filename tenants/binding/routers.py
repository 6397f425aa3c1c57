"""The database router that refuses to carry an object from one tenant into another."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from django.apps import apps
from django.db.models import Model, QuerySet
from django.db.models.signals import post_init

from tenants.context import TenantMismatchError, connection
from tenants.placement import has_tenant_tables
from tenants.postgresql.bound import current_binding

UNBOUND = "public"


class TenantRouter:
    """Asked by Django before an object is saved, deleted, refreshed, related or followed to a related one.

    An object of a tenant's table belongs to the schema it was made or read in; one that was made while none
    was bound, to the first that it is written in. Without this, one that was
    loaded in tenant A and saved in tenant B would overwrite B's row of the same key.
    """

    def db_for_read(self, model: type[Model], instance: Model | None = None, **hints: Any) -> None:
        """Leave the choice to Django. Raises TenantMismatchError for another tenant's object."""
        _check(instance)

    def db_for_write(self, model: type[Model], instance: Model | None = None, **hints: Any) -> None:
        """Leave the choice to Django. Raises TenantMismatchError for another tenant's object."""
        _check(instance)

    def allow_relation(self, one: Model, other: Model, **hints: Any) -> None:
        """Leave the choice to Django. Raises TenantMismatchError for objects of two tenants."""
        homes = {_get_home(one), _get_home(other)} - {None}
        if len(homes) > 1:
            raise TenantMismatchError(
                f"This {one._meta.label} of the schema {_get_home(one)!r} cannot be related to a "
                f"{other._meta.label} of {_get_home(other)!r}, where its key is another object's."
            )


def remember_tenants() -> None:
    """Make the objects of all tenants' tables remember the schema that they were made or read in.

    Users and sessions, too, although `public` has such tables: an account of A must not overwrite B's.
    """
    for model in apps.get_models():
        if has_tenant_tables(model._meta.app_label):
            post_init.connect(_remember, sender=model, dispatch_uid=f"tenants:{model._meta.label}")


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
                _claim(instance)
            else:
                _check(instance)
        return method(self, objs, *args, **kwargs)

    write.knows_tenants = True  # type: ignore[attr-defined]
    return write


def _remember(instance: Model, **kwargs: Any) -> None:
    # For each object that is read: from the context itself, in a fifth of the time that the connection takes.
    instance._state.schema_name = current_binding.get().schema_name  # type: ignore[attr-defined]


def _claim(instance: Model) -> None:
    if hasattr(instance._state, "schema_name"):
        instance._state.schema_name = connection.schema_name


def _get_home(instance: Model) -> str | None:
    home: str | None = getattr(instance._state, "schema_name", None)
    return None if home == UNBOUND and instance._state.adding else home


def _check(instance: Model | None) -> None:
    if instance is None:
        return
    home, bound = _get_home(instance), connection.schema_name
    if home is None:
        _claim(instance)
    elif home != bound:
        owner = "no tenant, but to" if home == UNBOUND else "the tenant with"
        raise TenantMismatchError(
            f"This {instance._meta.label} belongs to {owner} the schema {home!r}, but {bound!r} is bound. "
            "Use it inside `with tenant_context(tenant):`, or load it again in the tenant that is bound."
        )
