"""The addresses of a tenant's site, and the page that searches are compared with."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from project.urls import handler500, urlpatterns
from tenants.context import get_current_tenant

__all__ = ["handler500", "urlpatterns"]


def read_tenant(request: HttpRequest) -> HttpResponse:
    """Answer the name of the bound tenant."""
    return HttpResponse(get_current_tenant().name, content_type="text/plain")


urlpatterns = [path("empty/", read_tenant), *urlpatterns]
