"""The operators' site: what this is and which tenants may be searched by anyone."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django_tenants.utils import get_tenant_model


def public_home(request: HttpRequest) -> HttpResponse:
    """List the active tenants whose search is public; nobody learns of any other."""
    tenants = get_tenant_model().objects.filter(state="active", search_is_public=True)
    return render(request, "public_home.html", {"tenants": tenants})
