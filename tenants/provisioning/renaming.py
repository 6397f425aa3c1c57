"""Gives a tenant another subdomain; the old host redirects to the new one."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect

from tenants.audit import record
from tenants.context import unbound
from tenants.models import Domain, Tenant, get_address

STATES = (Tenant.State.ACTIVE, Tenant.State.SUSPENDED)


def rename_tenant(tenant: Tenant, subdomain: str) -> None:
    """Give the tenant another subdomain, all at once; its schema keeps its name.

    The new host takes the place of the old one, which redirects from now on: where another host is primary,
    it stays so. Raises ValidationError for a subdomain that is malformed, reserved or taken, if only by a
    redirect, and in states other than active and suspended.
    """
    with unbound(), transaction.atomic():
        current = Tenant.objects.select_for_update().get(pk=tenant.pk)
        if current.state not in STATES:
            raise ValidationError(f"{tenant} is {current.state}; only {' and '.join(STATES)} can be renamed.")
        if subdomain == current.subdomain:
            raise ValidationError({"subdomain": f"{subdomain!r} is its subdomain already."})
        old_host, current.subdomain = current.hostname, subdomain
        others = {field.name for field in Tenant._meta.fields} - {"subdomain"}
        current.full_clean(exclude=others)
        current.save(update_fields=["subdomain"])
        old = current.domains.filter(domain=old_host).first()
        new = current.domains.filter(domain=current.hostname).first() or Domain(tenant=current)
        new.domain, new.redirects = current.hostname, bool(old and old.redirects)
        new.is_primary = bool(old and old.is_primary)
        new.save()
        if old is not None:
            old.is_primary, old.redirects = False, True
            old.save()
        tenant.refresh_from_db()
        record("rename", whose=tenant.schema_name, before=old_host, after=tenant.hostname)


def redirect_to_primary(request: HttpRequest, tenant: Tenant) -> HttpResponse | None:
    """Answer with the same path on the tenant's primary host; None if every host of the tenant redirects.

    The status is 308 (RFC 9110, 15.4.9), so that a client repeats a POST as a POST. Nobody may store the
    answer: a browser would go in circles after the tenant takes its old name back.
    """
    primary = tenant.domains.filter(redirects=False).order_by("-is_primary", "pk").first()
    if primary is None:
        return None
    # Without its slash, a path could become part of the host.
    path = "/" + request.get_full_path().removeprefix("/")
    address = get_address(primary.domain) + path
    response = HttpResponsePermanentRedirect(address, preserve_request=True, max_length=len(address))
    response.headers["Cache-Control"] = "no-store"
    return response
