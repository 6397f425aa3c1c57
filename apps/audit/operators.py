"""The operators' own audit log in their admin."""

from django.contrib import admin
from django.urls import URLPattern

from apps.audit.admin import DeedAdmin
from apps.audit.models import Deed
from tenants.admin.site import site


@admin.register(Deed, site=site)
class OperatorsDeedAdmin(DeedAdmin):
    """As the members', with the tenant that a deed was done to in place of the address."""

    list_display = ["when", "who", "what", "whose", "on"]


urlpatterns: list[URLPattern] = []  # those of the admin are all there are
