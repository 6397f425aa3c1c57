"""The operators' admin: the registry of tenants, the task queue and the operators' own accounts."""

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
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django_tasks_db.admin import DBTaskResultAdmin
from django_tasks_db.models import DBTaskResult

from tenants.models import Domain, Tenant
from tenants.provisioning import choose_schema_name, delete_tenant, resume, suspend
from tenants.tasks import provision_tenant


class OperatorsAdminSite(admin.AdminSite):
    """The admin of the public site. Nothing of it is reachable from a tenant's host."""

    site_header = site_title = "Operators' admin"
    index_title = "Tenants and tasks"


site = OperatorsAdminSite(name="operators")


class TenantForm(forms.ModelForm):
    """What an operator says of a tenant; the spaces come from the settings."""

    space = forms.ChoiceField(
        choices=lambda: [(alias, alias) for alias in settings.EMBEDDINGS],
        help_text=Tenant._meta.get_field("space").help_text,
    )

    class Meta:
        model = Tenant
        fields = ["name", "subdomain", "owner_email", "space", "search_language", "search_is_public"]


class DeleteTenantForm(forms.Form):
    """Asks for the name of the tenant that is to go."""

    name = forms.CharField(label="Type the tenant's name", strip=True)

    def __init__(self, *args: Any, tenant: Tenant, **kwargs: Any) -> None:
        self.tenant = tenant
        super().__init__(*args, **kwargs)

    def clean_name(self) -> str:
        """Accept the tenant's own name only."""
        if self.cleaned_data["name"] != self.tenant.name:
            raise ValidationError(f"That is not its name. Type {self.tenant.name!r} to delete it.")
        return self.cleaned_data["name"]


class DomainInline(admin.TabularInline):
    """Further hosts of a tenant."""

    model = Domain
    extra = 0


@admin.register(Tenant, site=site)
class TenantAdmin(admin.ModelAdmin):
    """Create, watch, retry, suspend, resume and delete tenants."""

    form = TenantForm
    list_display = ["name", "address", "state", "space", "search_is_public", "created_at"]
    list_filter = ["state", "space"]
    search_fields = ["name", "subdomain", "schema_name", "owner_email"]
    actions = ["retry_provisioning", "suspend_tenants", "resume_tenants"]
    inlines = [DomainInline]
    delete_confirmation_template = "tenants/delete_tenant.html"

    def get_actions(
        self, request: HttpRequest, action_location: Any = ActionLocation.CHANGE_LIST
    ) -> dict[str, Any]:
        """Leave out the deletion of many at once: each wants its name typed."""
        actions = super().get_actions(request, action_location)
        actions.pop("delete_selected", None)
        return actions

    def get_readonly_fields(self, request: HttpRequest, obj: Tenant | None = None) -> list[str]:
        """Fix on creation what the schema, the domain and the vectors depend on."""
        if obj is None:
            return []
        return ["subdomain", "owner_email", "space", "schema_name", "state", "state_reason", "provisioned_at"]

    def get_inlines(self, request: HttpRequest, obj: Tenant | None = None) -> list[Any]:
        """Offer domains once there is a tenant for them to lead to."""
        return self.inlines if obj and obj.provisioned_at else []

    @admin.display(ordering="subdomain")
    def address(self, tenant: Tenant) -> str:
        """Link to the tenant's site, once it is served."""
        if tenant.state != Tenant.State.ACTIVE:
            return tenant.hostname
        return format_html('<a href="{}">{}</a>', tenant.url, tenant.hostname)

    def save_model(self, request: HttpRequest, obj: Tenant, form: forms.ModelForm, change: bool) -> None:
        """Write a new tenant and, in the same transaction, the task that provisions it."""
        if not change:
            obj.schema_name = choose_schema_name(obj.subdomain)
        super().save_model(request, obj, form, change)
        if not change:
            provision_tenant.enqueue(obj.pk)
            self.message_user(request, f"{obj} is being provisioned by a worker. Reload to see its state.")

    @admin.action(description="Provision again (after a failure)")
    def retry_provisioning(self, request: HttpRequest, tenants: QuerySet[Tenant]) -> None:
        """Write the task anew for those that failed."""
        for tenant in tenants.filter(state=Tenant.State.FAILED):
            with transaction.atomic():
                Tenant.objects.filter(pk=tenant.pk).update(state=Tenant.State.PROVISIONING, state_reason="")
                provision_tenant.enqueue(tenant.pk)
            self.message_user(request, f"{tenant} is being provisioned again.")

    @admin.action(description="Suspend")
    def suspend_tenants(self, request: HttpRequest, tenants: QuerySet[Tenant]) -> None:
        """Stop serving them."""
        self._each(request, tenants, suspend, "is suspended")

    @admin.action(description="Resume")
    def resume_tenants(self, request: HttpRequest, tenants: QuerySet[Tenant]) -> None:
        """Serve them again."""
        self._each(request, tenants, resume, "is active")

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask for the name, then drop the schema with all data."""
        tenant = self.get_object(request, unquote(object_id))
        if tenant is None:
            raise Http404("There is no such tenant.")
        if not self.has_delete_permission(request, tenant):
            raise PermissionDenied
        form = DeleteTenantForm(request.POST or None, tenant=tenant)
        if form.is_valid():
            self.log_deletions(request, Tenant.objects.filter(pk=tenant.pk))
            name = tenant.name
            delete_tenant(tenant)
            self.message_user(request, f"{name} is deleted.", messages.SUCCESS)
            return HttpResponseRedirect(reverse("operators:tenants_tenant_changelist"))
        context = self.admin_site.each_context(request) | {
            "title": f"Delete {tenant}",
            "form": form,
            "object": tenant,
            "opts": self.opts,
        }
        return TemplateResponse(request, self.delete_confirmation_template, context)

    def _each(self, request: HttpRequest, tenants: QuerySet[Tenant], change: Any, done: str) -> None:
        for tenant in tenants:
            try:
                change(tenant)
            except ValidationError as error:
                self.message_user(request, " ".join(error.messages), messages.WARNING)
            else:
                self.message_user(request, f"{tenant} {done}.")


site.register(DBTaskResult, DBTaskResultAdmin)
site.register(Group)
