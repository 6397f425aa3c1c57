"""From a row of the registry to a tenant that is served, and back.

Provisioning may be killed at any point and run again: it first drops what is half made, and makes the domain
last, so no request reaches a half-made tenant.
"""

import logging

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django_tenants.signals import post_schema_sync
from django_tenants.utils import schema_exists

from tenants.audit import record
from tenants.context import tenant_context, unbound
from tenants.locks import hold_life_cycle
from tenants.models import DeletionReport, Domain, Tenant
from tenants.provisioning.erasing import drop_schema
from tenants.provisioning.roles import create_role
from tenants.provisioning.template import create_schema
from tenants.queue.held_tasks import release_tasks
from tenants.signals import owner_needed
from tenants.validators import OWN_SPACE, RESERVED_SCHEMAS

logger = logging.getLogger(__name__)


class ProvisioningError(RuntimeError):
    """A tenant could not be provisioned; the message is also in its `state_reason`."""


def register_tenant(
    *,
    name: str,
    subdomain: str,
    owner_email: str,
    space: str = "default",
    search_language: str = "english",
    search_is_public: bool = False,
) -> Tenant:
    """Write a tenant into the registry, in the state `provisioning`, and return it.

    Raises ValidationError with the fields at fault; nothing is written then.
    """
    tenant = Tenant(
        name=name,
        subdomain=subdomain,
        owner_email=owner_email,
        space=space,
        search_language=search_language,
        search_is_public=search_is_public,
    )
    tenant.full_clean(exclude=["schema_name"])
    if OWN_SPACE.fullmatch(space):
        known = ", ".join(sorted(settings.EMBEDDINGS))
        message = f"A new tenant has no space of its own such as {space!r}. Choose one of: {known}."
        raise ValidationError({"space": message})
    tenant.schema_name = choose_schema_name(subdomain)
    tenant.save()
    return tenant


def choose_schema_name(subdomain: str) -> str:
    """Return a free schema name for a new tenant: the subdomain's own, with a number when that is taken.

    The name never changes afterwards, whatever happens to the subdomain, and no later tenant gets it: what a
    process still caches under it, or what was signed within it, must not become another tenant's.
    """
    stem = subdomain.replace("-", "_")
    if stem.startswith("pg_"):  # PostgreSQL's own
        stem = f"t_{stem}"[:48]
    begun = {"schema_name__startswith": stem[:44]}
    taken = RESERVED_SCHEMAS.union(
        Tenant.objects.filter(**begun).values_list("schema_name", flat=True),
        DeletionReport.objects.filter(**begun).values_list("schema_name", flat=True),
    )
    names = (stem if number == 1 else f"{stem[:44]}_{number}" for number in range(1, 1000))
    for name in names:
        if name not in taken and not schema_exists(name):
            return name
    raise ValidationError({"subdomain": f"No schema name is free for {subdomain!r}."})


def provision(tenant: Tenant) -> str:
    """Make the tenant's schema, its first user and its domain; return the first user's invitation link.

    Does nothing and returns "" for a tenant that was provisioned already. Raises ProvisioningError; the
    tenant's state is `failed` then, with the reason beside it, and running this again starts afresh.

    django-tenants' signal post_schema_sync is sent as soon as there are schema and role. A receiver that
    raises fails the provisioning.
    """
    with unbound(), hold_life_cycle(tenant.schema_name):
        tenant.refresh_from_db()
        if tenant.provisioned_at is not None:
            return ""
        try:
            drop_schema(tenant.schema_name)
            _set_state(tenant, Tenant.State.PROVISIONING, "")
            create_schema(tenant)
            create_role(tenant)
            post_schema_sync.send(Tenant, tenant=tenant)
            with transaction.atomic():
                link = make_owner(tenant)
                Domain.objects.create(domain=tenant.hostname, tenant=tenant)
                tenant.provisioned_at = timezone.now()
                _set_state(tenant, Tenant.State.ACTIVE, "")
                record("provision", whose=tenant.schema_name)
        except Exception as error:  # whatever a migration raises, the operator must see it on the tenant
            drop_schema(tenant.schema_name)
            reason = f"{type(error).__name__}: {error}".strip()
            _set_state(tenant, Tenant.State.FAILED, reason)
            logger.exception("Provisioning of %s failed", tenant.schema_name)
            raise ProvisioningError(f"Tenant {tenant.schema_name!r} was not provisioned. {reason}") from error
        return link


def make_owner(tenant: Tenant) -> str:
    """Let an app make the tenant's first member; return the invitation link, "" when no app does."""
    with tenant_context(tenant):
        answers = owner_needed.send(Tenant, tenant=tenant)
    return next((link for _, link in answers if link), "")


def suspend(tenant: Tenant, reason: str = "") -> None:
    """Stop serving an active tenant; its data stays, and its tasks wait.

    Raises ValidationError in any other state.
    """
    _move(tenant, Tenant.State.ACTIVE, Tenant.State.SUSPENDED, reason)


def resume(tenant: Tenant) -> None:
    """Serve a suspended tenant again, and let its tasks run. Raises ValidationError in any other state."""
    with unbound(), transaction.atomic():
        _move(tenant, Tenant.State.SUSPENDED, Tenant.State.ACTIVE, "")
        release_tasks(tenant.schema_name)


def _move(tenant: Tenant, before: str, after: str, reason: str) -> None:
    changed = Tenant.objects.filter(pk=tenant.pk, state=before).update(state=after, state_reason=reason)
    if not changed:
        raise ValidationError(f"{tenant} is not {before}, so it cannot become {after}.")
    tenant.refresh_from_db()
    deed = "suspend" if after == Tenant.State.SUSPENDED else "resume"
    record(deed, whose=tenant.schema_name, reason=reason)


def _set_state(tenant: Tenant, state: str, reason: str) -> None:
    tenant.state, tenant.state_reason = state, reason
    tenant.save(update_fields=["state", "state_reason", "provisioned_at"])
