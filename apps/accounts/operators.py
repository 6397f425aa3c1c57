"""The operators' page of a tenant's owner: whether the invitation was accepted, its link, and a new one."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import DatabaseError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path
from django.views.decorators.http import require_http_methods

from apps.accounts.invitations import describe_invitation, find_owner, has_accepted, invite_owner
from tenants.admin.pages import render_page
from tenants.admin.site import TenantAdmin, extend_tenant_admin
from tenants.context import tenant_context
from tenants.links import Link
from tenants.models import Tenant


class OwnerForm(forms.Form):
    """The owner's address, which may have been mistyped."""

    email = forms.EmailField(
        label="E-mail address", max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "off"})
    )


@require_http_methods(["GET", "POST"])
def owner_invitation(request: HttpRequest, pk: int) -> HttpResponse:
    """Show whether a tenant's owner has accepted; POST sends a new link, or shows it with `step=show`.

    The answer that shows a link is no redirect: the link would have to be kept in between.
    """
    tenant = get_object_or_404(Tenant.objects.exclude(provisioned_at=None), pk=pk)
    form = OwnerForm(request.POST or None, initial={"email": tenant.owner_email})
    link, by_mail = "", request.POST.get("step") != "show"
    if form.is_valid():
        try:
            link = invite_owner(tenant, form.cleaned_data["email"], by_mail=by_mail)
        except OSError as error:
            form.add_error(
                None, f"The mail could not be sent: {error}. Show the link, and hand it over yourself."
            )
        except (ValidationError, ValueError) as error:
            form.add_error("email", error if isinstance(error, ValidationError) else str(error))
        else:
            if by_mail:
                messages.success(request, f"An invitation was sent to {tenant.owner_email}.")
                return redirect("tenant_invitation", tenant.pk)
    with tenant_context(tenant):
        owner = find_owner(tenant)
    context: dict[str, Any] = {
        "tenant": tenant,
        "form": form,
        "link": link,
        "state": describe_invitation(owner),
        "is_accepted": owner is not None and has_accepted(owner),
    }
    return render_page(request, "accounts/owner_invitation.html", f"Owner of {tenant}", **context)


@extend_tenant_admin
class InvitingTenantAdmin(TenantAdmin):
    """Shows on a tenant's page whether its owner has accepted the invitation."""

    def get_readonly_fields(self, request: HttpRequest, obj: Tenant | None = None) -> list[str]:
        """Show the invitation of a tenant that has a schema."""
        fields = super().get_readonly_fields(request, obj)
        return [*fields, "invitation"] if obj and obj.provisioned_at else fields

    def invitation(self, tenant: Tenant) -> str:
        """Say what became of it."""
        try:
            with transaction.atomic(), tenant_context(tenant):
                return describe_invitation(find_owner(tenant))
        except DatabaseError as error:  # the page of a broken tenant must be there to mend it
            return f"unknown: {error}".strip().partition("\n")[0]


urlpatterns = [path("tenants/tenant/<int:pk>/invitation/", owner_invitation, name="tenant_invitation")]
TENANT_LINKS = [Link("Owner", "tenant_invitation")]
