"""The operators' admin: the registry of tenants, the task queue and the operators' own accounts.

An app adds to it in its `admin.py`: a model by `@admin.register(Model, site=site)`, and pages and actions for
tenants by `@extend_tenant_admin`.
"""

from collections.abc import Callable
from datetime import date
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django_tasks_db.admin import DBTaskResultAdmin
from django_tasks_db.models import DBTaskResult

from tenants.admin.forms import DomainForm, DomainFormSet, RenameForm, TenantForm
from tenants.binding.view_on_site import ShownObjectsSite
from tenants.models import Domain, Tenant
from tenants.provisioning.life_cycle import choose_schema_name, resume, suspend
from tenants.provisioning.renaming import STATES, rename_tenant
from tenants.queue.rows import SCHEMA_KEY
from tenants.tasks import provision_tenant


class OperatorsAdminSite(ShownObjectsSite):
    """The admin of the public site. Nothing of it is reachable from a tenant's host."""

    site_header = site_title = "Operators' admin"
    index_title = "Tenants and tasks"


site = OperatorsAdminSite(name="operators")


@admin.register(DBTaskResult, site=site)
class TaskResultAdmin(DBTaskResultAdmin):
    """The task queue: which tenant's task it is, and how it went."""

    list_display = ["task_name", "tenant", "status", "enqueued_at", "finished_at"]  # type: ignore[assignment]
    list_filter = ["status"]  # type: ignore[assignment]
    search_fields = ["task_path", "args_kwargs__kwargs__" + SCHEMA_KEY]
    list_per_page = 50

    @admin.display(ordering="args_kwargs__kwargs__" + SCHEMA_KEY)
    def tenant(self, result: DBTaskResult) -> str | None:
        """Return the schema of the tenant that the task belongs to, None for a task of the operators."""
        return result.args_kwargs["kwargs"].get(SCHEMA_KEY)


class DomainInline(admin.StackedInline):
    """The hosts of a tenant: one is primary, others lead to the same site, or redirect to the primary one."""

    model = Domain
    form = DomainForm
    formset = DomainFormSet
    fields = ["domain", ("is_primary", "redirects")]
    extra = 0


@admin.register(Tenant, site=site)
class TenantAdmin(admin.ModelAdmin):
    """Create, watch, retry, suspend, resume and rename tenants."""

    form = TenantForm
    list_display = ["name", "address", "state", "space", "search_is_public", "created"]
    list_filter = ["state", "space"]
    search_fields = ["name", "subdomain", "schema_name", "owner_email"]
    actions = ["retry_provisioning", "suspend_tenants", "resume_tenants"]
    inlines = [DomainInline]

    def has_delete_permission(self, request: HttpRequest, obj: Tenant | None = None) -> bool:
        """Refuse: without the row, the schema and all else of the tenant would stay behind."""
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Tenant | None = None) -> list[str]:
        """Fix on creation what the schema, the domain and the vectors depend on."""
        if obj is None:
            return []
        fixed = ["subdomain", "owner_email", "space", "schema_name"]
        return [*fixed, "state", "state_reason", "provisioned_at"]

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
        for tenant in tenants.filter(state=Tenant.State.FAILED):
            with transaction.atomic():
                Tenant.objects.filter(pk=tenant.pk).update(state=Tenant.State.PROVISIONING, state_reason="")
                provision_tenant.enqueue(tenant.pk)
            self.message_user(request, f"{tenant} is being provisioned again.")

    @admin.action(description="Suspend", permissions=["change"])
    def suspend_tenants(self, request: HttpRequest, tenants: QuerySet[Tenant]) -> None:
        self.change_each(request, tenants, suspend, "is suspended")

    @admin.action(description="Resume", permissions=["change"])
    def resume_tenants(self, request: HttpRequest, tenants: QuerySet[Tenant]) -> None:
        self.change_each(request, tenants, resume, "is active")

    def change_each(
        self, request: HttpRequest, tenants: QuerySet[Tenant], change: Callable[[Tenant], None], done: str
    ) -> None:
        """Change each of them; report each that is `done`, and why another one raised ValidationError."""
        for tenant in tenants:
            try:
                change(tenant)
            except ValidationError as error:
                self.message_user(request, " ".join(error.messages), messages.WARNING)
            else:
                self.message_user(request, f"{tenant} {done}.")

    def get_urls(self) -> list[Any]:
        page = self.admin_site.admin_view(self.rename_view)
        return [path("<path:object_id>/rename/", page, name="tenants_tenant_rename"), *super().get_urls()]

    def list_links(self, tenant: Tenant) -> list[tuple[str, str]]:
        """Return the labels and addresses of the pages that a tenant's own page leads to."""
        if tenant.state not in STATES:
            return []
        return [("Rename", reverse("operators:tenants_tenant_rename", args=[tenant.pk]))]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        tenant = context.get("original")
        context["tenant_links"] = self.list_links(tenant) if tenant else []
        return super().render_change_form(request, context, *args, **kwargs)

    def rename_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        tenant = self.get_tenant(request, object_id)
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
        context = {"form": form, "title": f"Rename {tenant}"}
        return self.render(request, "tenants/rename_tenant.html", tenant, context)

    def get_tenant(self, request: HttpRequest, object_id: str) -> Tenant:
        """Return the tenant of a page's address. Raises Http404."""
        tenant = self.get_object(request, unquote(object_id))
        if tenant is None:
            raise Http404("There is no such tenant.")
        return tenant

    def render(
        self, request: HttpRequest, template: str, tenant: Tenant, context: dict[str, Any]
    ) -> HttpResponse:
        """Answer with a page of the tenant's; its template extends tenants/tenant_page.html."""
        request.current_app = self.admin_site.name
        common = self.admin_site.each_context(request) | {"object": tenant, "opts": self.opts}
        return TemplateResponse(request, template, common | context)


def extend_tenant_admin(part: type[TenantAdmin]) -> type[TenantAdmin]:
    """Let a subclass of TenantAdmin add to the tenants' pages; apps may do so one after another.

    Its `actions` are those that it adds; each method of TenantAdmin that it overrides calls super().
    """
    present = type(site.get_model_admin(Tenant))
    actions = [*(present.actions or ()), *(part.__dict__.get("actions") or ())]
    site.unregister(Tenant)
    site.register(Tenant, type(part.__name__, (part, present), {"actions": actions}))
    return part
