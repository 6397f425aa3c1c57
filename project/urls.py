"""Addresses of a tenant's site."""

from django.apps import apps
from django.contrib import admin
from django.urls import include, path

from project.api import api

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/", include("apps.accounts.urls")),
    path("api/", api.urls),
    path("search/", include("apps.search.urls")),
    path("", include("apps.articles.urls")),
]
if apps.is_installed("apps.search.quality"):
    urlpatterns.insert(0, path("search/quality/", include("apps.search.quality.urls")))
