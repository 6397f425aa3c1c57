"""Addresses of a tenant's site.

An app adds pages in a module `urls.py` with `urlpatterns`. They are mounted below the `url_prefix` of its
AppConfig: a str such as "search/", or "" for addresses that begin at the root. An app without a `url_prefix`
is not mounted. An app that has a page at the root itself takes the place of the plain home page.
"""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from project.api import answer_no_endpoint, api
from project.views import home
from tenants.discovery import ExtensionPoint, list_attribute

PAGES = ExtensionPoint("urls", list_attribute("urlpatterns", "addresses", lambda pattern: True))

handler500 = "tenants.binding.outages.server_error"

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/", RedirectView.as_view(url="/api/docs")),
    path("api/", api.urls),
    re_path(r"^api/", answer_no_endpoint),
    *(
        path(config.url_prefix, include(module))
        for config, module in PAGES.load()
        if hasattr(config, "url_prefix")
    ),
    path("", home, name="home"),
]
