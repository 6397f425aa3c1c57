"""Addresses of a tenant's site."""

from django.apps import apps
from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from project.api import answer_no_endpoint, api

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/", include("apps.accounts.urls")),
    path("api/", RedirectView.as_view(url="/api/docs")),
    path("api/", api.urls),
    re_path(r"^api/", answer_no_endpoint),
    path("search/", include("apps.search.urls")),
    path("", include("apps.articles.urls")),
]
if apps.is_installed("apps.search_quality"):
    urlpatterns.insert(0, path("search/quality/", include("apps.search_quality.urls")))
