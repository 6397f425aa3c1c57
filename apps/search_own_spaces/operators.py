"""The operators' pages of a tenant's search spaces."""

from contextlib import suppress
from typing import Any

from django.contrib import messages
from django.contrib.admin.helpers import AdminForm
from django.contrib.admin.models import CHANGE, LogEntry
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from apps.search.embedders import list_aliases
from apps.search_own_spaces.forms import OwnSpaceForm
from apps.search_own_spaces.models import OwnSpace, SpaceInUseError, find_dimensions
from tenants.admin.pages import render_page
from tenants.context import tenant_context
from tenants.links import Link
from tenants.models import Tenant

SERVED = [Tenant.State.ACTIVE, Tenant.State.SUSPENDED]


@require_safe
def show_spaces(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the spaces that a tenant can be searched by: the installation's and its own.

    404 for a tenant that has no schema, as on the pages below.
    """
    tenant = get_object_or_404(Tenant, pk=pk, state__in=SERVED)
    with tenant_context(tenant):
        own = list(OwnSpace.objects.all())
        keys = [space.describe_key() for space in own]
        names = {space.alias for space in own}
        shared = [(alias, find_dimensions(alias)) for alias in list_aliases() if alias not in names]
    lists = {"own": list(zip(own, keys, strict=True)), "shared": shared}
    return _render(request, "spaces.html", tenant, "Search spaces", **lists)


@sensitive_post_parameters("api_key")
@require_http_methods(["GET", "POST"])
def edit_space(request: HttpRequest, pk: int, alias: str = "") -> HttpResponse:
    """Add a space of the tenant's own or, with an alias, change its key, limits and price."""
    tenant = get_object_or_404(Tenant, pk=pk, state__in=SERVED)
    with tenant_context(tenant):
        space = get_object_or_404(OwnSpace, alias=alias) if alias else None
        form = OwnSpaceForm(request.POST or None, instance=space)
        is_saved = form.is_valid()  # asks the endpoint
        if is_saved:
            form.save()
    if is_saved:
        return _report(request, tenant, f"The search space {form.instance} is saved; its endpoint answers.")
    title = f"Change {alias}" if alias else "Add a search space"
    shown = AdminForm(form, [(None, {"fields": list(form.fields)})], {})
    return _render(request, "space_form.html", tenant, title, form=form, adminform=shown, alias=alias)


@require_http_methods(["GET", "POST"])
def delete_space(request: HttpRequest, pk: int, alias: str) -> HttpResponse:
    """Ask, then delete a space of the tenant's own with its documents; say so where it is in use."""
    tenant = get_object_or_404(Tenant, pk=pk, state__in=SERVED)
    with tenant_context(tenant):
        space = get_object_or_404(OwnSpace, alias=alias)
        uses = space.describe_uses()
        if request.method == "POST" and not uses:
            with suppress(SpaceInUseError):  # since a moment ago: ask again
                space.delete()
    if space.pk is None:
        return _report(request, tenant, f"The search space {alias} is deleted.")
    return _render(request, "delete_space.html", tenant, f"Delete {alias}", alias=alias, uses=uses)


def _render(request: HttpRequest, template: str, tenant: Tenant, title: str, **context: Any) -> HttpResponse:
    context |= {"subtitle": str(tenant), "object": tenant}
    return render_page(request, f"search_own_spaces/{template}", title, **context)


def _report(request: HttpRequest, tenant: Tenant, message: str) -> HttpResponse:
    """Say what was done, here and in the history of the tenant."""
    tenants = Tenant.objects.filter(pk=tenant.pk)
    LogEntry.objects.log_actions(str(request.user.pk), tenants, CHANGE, message, single_object=True)
    messages.success(request, message)
    return redirect("tenant_spaces", tenant.pk)


SPACES = "tenants/tenant/<int:pk>/spaces/"
urlpatterns = [
    path(SPACES, show_spaces, name="tenant_spaces"),
    path(f"{SPACES}add/", edit_space, name="add_tenant_space"),
    path(f"{SPACES}<slug:alias>/", edit_space, name="change_tenant_space"),
    path(f"{SPACES}<slug:alias>/delete/", delete_space, name="delete_tenant_space"),
]
TENANT_LINKS = [Link("Own spaces", "tenant_spaces")]
