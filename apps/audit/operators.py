"""The operators' own audit log in their admin."""

from django.urls import URLPattern

from apps.audit.admin import DeedAdmin
from apps.audit.models import Deed
from tenants.admin.site import site

site.register(Deed, DeedAdmin)
urlpatterns: list[URLPattern] = []  # those of the admin are all there are
