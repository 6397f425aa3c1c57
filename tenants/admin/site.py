"""The operators' admin: the registry of tenants, the task queue and the operators' own accounts."""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin import ActionLocation
from django.contrib.admin.utils import unquote
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django_tasks_db.admin import DBTaskResultAdmin
from django_tasks_db.models import DBTaskResult

from apps.operations.deletion.deleting import delete_with_proof
from apps.operations.deletion.scheduling import keep_tenant, schedule_deletion
from tenants.admin.forms import DomainForm, DomainFormSet, NameForm, RenameForm, TenantForm
from tenants.models import DeletionReport, Domain, Tenant
from tenants.provisioning.life_cycle import choose_schema_name, resume, suspend
from tenants.provisioning.renaming import rename_tenant
from tenants.tasks import provision_tenant


class OperatorsAdminSite(admin.AdminSite):
    """The admin of the public site. Nothing of it is reachable from a tenant's host."""

    site_header = site_title = "Operators' admin"
    index_title = "Tenants and tasks"


site = OperatorsAdminSite(name="operators")


class DomainInline(admin.TabularInline):
    """The hosts of a tenant: one is primary, others lead to the same site, or redirect to the primary one."""

    model = Domain
    form = DomainForm
    formset = DomainFormSet
    extra = 0


@admin.register(Tenant, site=site)
class TenantAdmin(admin.ModelAdmin):
    """Create, watch, retry, suspend, resume, rename, delete and keep tenants."""

    form = TenantForm
    list_display = ["name", "address", "state", "space", "search_is_public", "created"]
    list_filter = ["state", "space"]
    search_fields = ["name", "subdomain", "schema_name", "owner_email"]
    actions = ["retry_provisioning", "suspend_tenants", "resume_tenants", "keep_tenants"]
    inlines = [DomainInline]

    def get_actions(
        self, request: HttpRequest, action_location: Any = ActionLocation.CHANGE_LIST
    ) -> dict[str, Any]:
        """Leave out the deletion of many at once: each wants its name typed."""
        actions = super().get_actions(request, action_location)
        return {name: action for name, action in actions.items() if name != "delete_selected"}

    def get_readonly_fields(self, request: HttpRequest, obj: Tenant | None = None) -> list[str]:
        """Fix on creation what the schema, the domain and the vectors depend on."""
        if obj is None:
            return []
        fixed = [
            "subdomain",
            "owner_email",
            "space",
            "schema_name",
            "state",
            "state_reason",
            "provisioned_at",
        ]
        return [*fixed, "delete_after"] if obj.delete_after else fixed

    def get_inlines(self, request: HttpRequest, obj: Tenant | None = None) -> list[Any]:
        """Offer domains once there is a tenant for them to lead to."""
        return self.inlines if obj and obj.provisioned_at else []

    @admin.display(ordering="subdomain")
    def address(self, tenant: Tenant) -> str:
        """Link to the tenant's site, once it is served."""
        if tenant.state != Tenant.State.ACTIVE:
            return tenant.hostname
        return format_html('<a href="{}">{}</a>', tenant.url, tenant.hostname)

    @admin.display(ordering="created_at")
    def created(self, tenant: Tenant) -> date:
        """Return the day; the list has no room for the time."""
        return tenant.created_at.date()

    def save_model(self, request: HttpRequest, obj: Tenant, form: forms.ModelForm, change: bool) -> None:
        """Write a new tenant and, in the same transaction, the task that provisions it."""
        if not change:
            obj.schema_name = choose_schema_name(obj.subdomain)
        super().save_model(request, obj, form, change)
        if not change:
            provision_tenant.enqueue(obj.pk)
            self.message_user(request, f"{obj} is being provisioned by a worker. Reload to see its state.")

    @admin.action(description="Provision again (after a failure)", permissions=["change"])
    def retry_provisioning(self, request: HttpRequest, tenants: QuerySet[Tenant]) -> None:
        """Write the task anew for those that failed."""
        for tenant in tenants.filter(state=Tenant.State.FAILED):
            with transaction.atomic():
                Tenant.objects.filter(pk=tenant.pk).update(state=Tenant.State.PROVISIONING, state_reason="")
                provision_tenant.enqueue(tenant.pk)
            self.message_user(request, f"{tenant} is being provisioned again.")

    @admin.action(description="Suspend", permissions=["change"])
    def suspend_tenants(self, request: HttpRequest, tenants: QuerySet[Tenant]) -> None:
        """Stop serving them."""
        self._each(request, tenants, suspend, "is suspended")

    @admin.action(description="Resume", permissions=["change"])
    def resume_tenants(self, request: HttpRequest, tenants: QuerySet[Tenant]) -> None:
        """Serve them again."""
        self._each(request, tenants, resume, "is active")

    @admin.action(description="Keep (undo the deletion)", permissions=["delete"])
    def keep_tenants(self, request: HttpRequest, tenants: QuerySet[Tenant]) -> None:
        """Undo the deletion of those that are leaving."""
        self._each(request, tenants, keep_tenant, "is kept")

    def get_urls(self) -> list[Any]:
        """Add the page that renames."""
        page = self.admin_site.admin_view(self.rename_view)
        return [path("<path:object_id>/rename/", page, name="tenants_tenant_rename"), *super().get_urls()]

    def rename_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for the new subdomain, and rename."""
        tenant = self._get_tenant(request, object_id)
        if not self.has_change_permission(request, tenant):
            raise PermissionDenied
        form = RenameForm(request.POST or None)
        if form.is_valid():
            try:
                rename_tenant(tenant, form.cleaned_data["subdomain"])
            except ValidationError as error:
                form.add_error("subdomain", error.messages)
            else:
                self.log_change(request, tenant, f"Renamed to {tenant.subdomain}.")
                self.message_user(request, f"{tenant} is at {tenant.url}", messages.SUCCESS)
                return redirect("operators:tenants_tenant_change", tenant.pk)
        return self._render(request, "tenants/rename_tenant.html", tenant, form, f"Rename {tenant}")

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask for the name, then close the tenant; of one that is leaving, offer to keep it or to hurry."""
        tenant = self._get_tenant(request, object_id)
        if not self.has_delete_permission(request, tenant):
            raise PermissionDenied
        if request.method == "POST" and "keep" in request.POST:
            self._each(request, Tenant.objects.filter(pk=tenant.pk), keep_tenant, "is kept")
            return redirect("operators:tenants_tenant_change", tenant.pk)
        form = NameForm(request.POST or None, tenant=tenant)
        if form.is_valid():
            return self._delete(request, tenant)
        return self._render(request, "tenants/delete_tenant.html", tenant, form, f"Delete {tenant}")

    def _delete(self, request: HttpRequest, tenant: Tenant) -> HttpResponse:
        """Nobody used what was never provisioned: it goes at once. All else is left to a worker."""
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

    def _get_tenant(self, request: HttpRequest, object_id: str) -> Tenant:
        tenant = self.get_object(request, unquote(object_id))
        if tenant is None:
            raise Http404("There is no such tenant.")
        return tenant

    def _render(
        self, request: HttpRequest, template: str, tenant: Tenant, form: forms.Form, title: str
    ) -> HttpResponse:
        context = self.admin_site.each_context(request) | {
            "title": title,
            "form": form,
            "object": tenant,
            "opts": self.opts,
            "deleted_after": timezone.now() + timedelta(days=settings.DELETION_GRACE_DAYS),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, template, context)

    def _each(self, request: HttpRequest, tenants: QuerySet[Tenant], change: Any, done: str) -> None:
        for tenant in tenants:
            try:
                change(tenant)
            except ValidationError as error:
                self.message_user(request, " ".join(error.messages), messages.WARNING)
            else:
                self.message_user(request, f"{tenant} {done}.")


@admin.register(DeletionReport, site=site)
class DeletionReportAdmin(admin.ModelAdmin):
    """What was found after deletions; nobody adds, changes or removes a report."""

    list_display = ["name", "schema_name", "deleted_at", "outcome"]
    search_fields = ["name", "schema_name"]
    fields = ["name", "schema_name", "tenant_pk", "deleted_at", "proved_at", "outcome", "places"]
    readonly_fields = ["outcome", "places"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A deletion writes it."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: DeletionReport | None = None) -> bool:
        """It is a proof."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: DeletionReport | None = None) -> bool:
        """It keeps the schema's name from being given away again."""
        return False

    @admin.display
    def outcome(self, report: DeletionReport) -> str:
        """Say in a few words what came of it."""
        if report.remainders is None:
            return f"cut short: manage.py delete_tenant {report.schema_name} --now"
        return f"left in {report.remainders} places" if report.remainders else "nothing is left"

    @admin.display(description="what was looked at")
    def places(self, report: DeletionReport) -> SafeString:
        """Return a table of the looks, each with what to do."""
        return render_to_string("tenants/looks.html", {"looks": report.looks})


site.register(DBTaskResult, DBTaskResultAdmin)
site.register(Group)
