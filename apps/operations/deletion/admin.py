"""The operators' admin: the page that deletes a tenant, the action that keeps it, and the reports."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import ActionLocation
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from apps.operations.deletion.conf import conf
from apps.operations.deletion.deleting import delete_with_proof
from apps.operations.deletion.scheduling import keep_tenant, schedule_deletion
from tenants.admin.site import TenantAdmin, extend_tenant_admin, site
from tenants.models import DeletionReport, Tenant


class NameForm(forms.Form):
    """Asks for the name of the tenant to delete."""

    name = forms.CharField(label="Type the tenant's name", strip=True, widget=AdminTextInputWidget)

    def __init__(self, *args: Any, tenant: Tenant, **kwargs: Any) -> None:
        self.tenant = tenant
        super().__init__(*args, **kwargs)

    def clean_name(self) -> str:
        """Accept the tenant's own name only."""
        if self.cleaned_data["name"] != self.tenant.name:
            raise ValidationError(f"That is not its name. Type {self.tenant.name!r} to delete it.")
        return self.cleaned_data["name"]


@extend_tenant_admin
class LeavingTenantAdmin(TenantAdmin):
    """Closes, deletes and keeps tenants."""

    actions = ["keep_tenants"]

    def get_actions(
        self, request: HttpRequest, action_location: Any = ActionLocation.CHANGE_LIST
    ) -> dict[str, Any]:
        """Leave out the deletion of many tenants at once: the name of each must be typed."""
        actions = super().get_actions(request, action_location)
        return {name: action for name, action in actions.items() if name != "delete_selected"}

    def has_delete_permission(self, request: HttpRequest, obj: Tenant | None = None) -> bool:
        """Let those delete who have the right to: nothing of the tenant is left behind."""
        return admin.ModelAdmin.has_delete_permission(self, request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Tenant | None = None) -> list[str]:
        """Show when a leaving tenant is deleted."""
        fields = super().get_readonly_fields(request, obj)
        return [*fields, "delete_after"] if obj and obj.delete_after else fields

    def list_links(self, tenant: Tenant) -> list[tuple[str, str]]:
        """Lead from a leaving tenant to the page below."""
        links = super().list_links(tenant)
        if tenant.state != Tenant.State.LEAVING:
            return links
        return [
            *links,
            ("Keep it, or delete it now", reverse("operators:tenants_tenant_delete", args=[tenant.pk])),
        ]

    @admin.action(description="Keep (undo the deletion)", permissions=["delete"])
    def keep_tenants(self, request: HttpRequest, tenants: QuerySet[Tenant]) -> None:
        """Undo the deletion of those that are leaving."""
        self.change_each(request, tenants, keep_tenant, "is kept")

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask for the name, then close the tenant. Offer to keep a leaving tenant, or to delete it now."""
        tenant = self.get_tenant(request, object_id)
        if not self.has_delete_permission(request, tenant):
            raise PermissionDenied
        if request.method == "POST" and "keep" in request.POST:
            self.keep_tenants(request, Tenant.objects.filter(pk=tenant.pk))
            return redirect("operators:tenants_tenant_change", tenant.pk)
        form = NameForm(request.POST or None, tenant=tenant)
        if form.is_valid():
            return self._delete(request, tenant)
        deleted_after = timezone.now() + timedelta(days=conf.DELETION_GRACE_DAYS)
        context = {"form": form, "title": f"Delete {tenant}", "deleted_after": deleted_after}
        return self.render(request, "deletion/delete_tenant.html", tenant, context)

    def _delete(self, request: HttpRequest, tenant: Tenant) -> HttpResponse:
        """Delete at once what was never provisioned, since nobody used it; leave all else to a worker."""
        if tenant.provisioned_at is None:
            self.log_deletions(request, Tenant.objects.filter(pk=tenant.pk))
            report = delete_with_proof(tenant)
            self.message_user(request, f"{report.name} is deleted.", messages.SUCCESS)
            return redirect("operators:tenants_deletionreport_change", report.pk)
        schedule_deletion(tenant, 0 if tenant.state == Tenant.State.LEAVING else None)
        when = f"{tenant.delete_after:%Y-%m-%d %H:%M} UTC"
        self.log_change(request, tenant, f"Closed, to be deleted after {when}.")
        self.message_user(request, f"{tenant} is closed. A worker deletes it after {when}.", messages.SUCCESS)
        return redirect("operators:tenants_tenant_changelist")


@admin.register(DeletionReport, site=site)
class DeletionReportAdmin(admin.ModelAdmin):
    """The reports of deletions; nobody adds, changes or removes one."""

    list_display = ["name", "schema_name", "deleted_at", "outcome"]
    search_fields = ["name", "schema_name"]
    fields = ["name", "schema_name", "tenant_pk", "deleted_at", "proved_at", "outcome", "places"]
    readonly_fields = ["outcome", "places"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: a deletion writes its report."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: DeletionReport | None = None) -> bool:
        """Refuse: a report is a proof."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: DeletionReport | None = None) -> bool:
        """Refuse: a report keeps the schema's name from being given away again."""
        return False

    @admin.display
    def outcome(self, report: DeletionReport) -> str:
        """Say in a few words how the deletion ended."""
        if report.remainders is None:
            return f"cut short: manage.py delete_tenant {report.schema_name} --now"
        return f"left in {report.remainders} places" if report.remainders else "nothing is left"

    @admin.display(description="what was looked at")
    def places(self, report: DeletionReport) -> SafeString:
        """Return a table of the places that were looked at, each with what to do."""
        return render_to_string("deletion/looks.html", {"looks": report.looks})
