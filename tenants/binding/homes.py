"""Whose an object is: the schema that it was made or read in, kept in its `_state`."""

from typing import Any

from django.apps import apps
from django.db.models import Model
from django.db.models.signals import post_init

from tenants.context import TenantMismatchError, connection
from tenants.placement import has_tenant_tables
from tenants.postgresql.bound import current_binding

UNBOUND = "public"


def remember_homes() -> None:
    """Make the objects of all tenants' tables remember the schema that they were made or read in.

    Users and sessions, too, although `public` has such tables: an account of A must not overwrite B's.
    """
    for model in apps.get_models():
        if has_tenant_tables(model._meta.app_label):
            post_init.connect(_remember, sender=model, dispatch_uid=f"tenants:{model._meta.label}")


def get_home(instance: Model) -> str | None:
    """Return the schema that an object belongs to.

    None for an object of a shared table, and for one that was made while no tenant was bound and is not
    written yet: it belongs to the first tenant that it is written in.
    """
    home: str | None = getattr(instance._state, "schema_name", None)
    return None if home == UNBOUND and instance._state.adding else home


def set_home(instance: Model, schema: str | None) -> None:
    """Let an object of a tenant's table belong to a schema."""
    instance._state.schema_name = schema  # type: ignore[attr-defined]


def claim(instance: Model) -> None:
    """Let an object belong to the bound schema, unless its table is a shared one."""
    if hasattr(instance._state, "schema_name"):
        set_home(instance, connection.schema_name)


def check_home(instance: Model) -> None:
    """Raise TenantMismatchError when an object belongs to another schema than the one bound.

    An object that belongs to none belongs to the bound one from now on.
    """
    home, bound = get_home(instance), connection.schema_name
    if home is None:
        claim(instance)
    elif home != bound:
        owner = "no tenant, but to" if home == UNBOUND else "the tenant with"
        raise TenantMismatchError(
            f"This {instance._meta.label} belongs to {owner} the schema {home!r}, but {bound!r} is bound. "
            "Use it inside `with tenant_context(tenant):`, or load it again in the tenant that is bound."
        )


def _remember(instance: Model, **kwargs: Any) -> None:
    # For each object that is read: from the context itself, in a fifth of the time that the connection takes.
    set_home(instance, current_binding.get().schema_name)
