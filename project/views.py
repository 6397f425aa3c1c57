"""The home pages of the operators' site and of a tenant's site whose apps have none."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.search.searching.access import search_access_required
from tenants.models import Tenant


@search_access_required
def home(request: HttpRequest) -> HttpResponse:
    """Show what apps have for the home page: their `parts/home.html`."""
    return render(request, "home.html")


def public_home(request: HttpRequest) -> HttpResponse:
    """List the active tenants whose search is public; nobody learns of any other."""
    tenants = Tenant.objects.filter(state=Tenant.State.ACTIVE, search_is_public=True)
    return render(request, "public_home.html", {"tenants": tenants})
