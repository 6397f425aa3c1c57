"""The operators' pages of a tenant's search spaces. They know the search app by dotted string only."""

from typing import Any

from django.contrib import messages
from django.contrib.admin.helpers import AdminForm
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils.module_loading import import_string
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe
from django_tenants.utils import get_tenant_model, tenant_context

site = import_string("tenants.admin.site.site")


@require_safe
def tenant_spaces(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the spaces that a tenant can be searched by: the installation's and its own.

    Superusers only; 404 for a tenant that has no schema, as on the pages below.
    """
    tenant = _get_tenant(request, pk)
    with tenant_context(tenant):
        own = list(_model().objects.all())
        keys = [space.describe_key() for space in own]
        names = {space.alias for space in own}
        shared = [
            alias for alias in import_string("apps.search.spaces.space.list_spaces")() if alias not in names
        ]
        dimensions = [_find_dimensions(alias) for alias in shared]
    lists = {"own": zip(own, keys, strict=True), "shared": zip(shared, dimensions, strict=True)}
    return _render(request, "operators/spaces.html", tenant, "Search spaces", **lists)


@sensitive_post_parameters("api_key")
@require_http_methods(["GET", "POST"])
def edit_tenant_space(request: HttpRequest, pk: int, alias: str = "") -> HttpResponse:
    """Add a space of the tenant's own or, with an alias, change its key, limits and price."""
    tenant = _get_tenant(request, pk)
    with tenant_context(tenant):
        space = get_object_or_404(_model(), alias=alias) if alias else None
        form = import_string("apps.search_own_spaces.forms.OwnSpaceForm")(
            request.POST or None, instance=space
        )
        is_saved = form.is_valid()  # asks the endpoint
        if is_saved:
            form.save()
    if is_saved:
        return _report(request, tenant, f"The search space {form.instance} is saved; its endpoint answers.")
    title = f"Change {alias}" if alias else "Add a search space"
    shown = AdminForm(form, [(None, {"fields": list(form.fields)})], {})
    return _render(
        request, "operators/space_form.html", tenant, title, form=form, adminform=shown, alias=alias
    )


@require_http_methods(["GET", "POST"])
def delete_tenant_space(request: HttpRequest, pk: int, alias: str) -> HttpResponse:
    """Ask, then delete a space of the tenant's own with its documents; say so where it is in use."""
    tenant = _get_tenant(request, pk)
    with tenant_context(tenant):
        space = get_object_or_404(_model(), alias=alias)
        uses = space.describe_uses()
        is_deleted = request.method == "POST" and not uses and _delete(space)
    if is_deleted:
        return _report(request, tenant, f"The search space {alias} is deleted.")
    title = f"Delete {alias}"
    return _render(request, "operators/delete_space.html", tenant, title, alias=alias, uses=uses)


def _get_tenant(request: HttpRequest, pk: int) -> Any:
    if not request.user.is_superuser:
        raise PermissionDenied
    return get_object_or_404(get_tenant_model(), pk=pk, state__in=["active", "suspended"])


def _delete(space: Any) -> bool:
    try:
        space.delete()
    except import_string("apps.search_own_spaces.models.SpaceInUseError"):  # since a moment ago
        return False
    return True


def _model() -> Any:
    return import_string("apps.search_own_spaces.models.OwnSpace")


def _find_dimensions(alias: str) -> int | None:
    try:
        return import_string("apps.search.spaces.space.get_space")(alias).embedder.dimensions
    except ImproperlyConfigured:  # the system checks say why
        return None


def _render(request: HttpRequest, template: str, tenant: Any, title: str, **context: Any) -> HttpResponse:
    request.current_app = site.name
    context |= {"title": title, "subtitle": str(tenant), "object": tenant}
    return TemplateResponse(request, template, site.each_context(request) | context)


def _report(request: HttpRequest, tenant: Any, message: str) -> HttpResponse:
    """Say what was done, here and in the history of the tenant."""
    tenants = get_tenant_model().objects.filter(pk=tenant.pk)
    LogEntry.objects.log_actions(str(request.user.pk), tenants, CHANGE, message, single_object=True)
    messages.success(request, message)
    return redirect("tenant_spaces:list", tenant.pk)
