"""Addresses of the operators' site; apps add pages as tenants/admin/pages.py says."""

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.urls import include, path

from apps.accounts.admin import GroupAdmin, UserAdmin
from apps.accounts.forms import ChangePasswordForm
from project.views import public_home
from tenants.admin.pages import list_pages
from tenants.admin.site import site

for model, model_admin in ((get_user_model(), UserAdmin), (Group, GroupAdmin)):
    if not site.is_registered(model):
        site.register(model, model_admin)
site.password_change_form = ChangePasswordForm

handler500 = "tenants.binding.outages.server_error"

urlpatterns = [
    path("", public_home, name="public_home"),
    path("admin/", include(list_pages())),
    path("admin/", site.urls),
    path("accounts/", include("apps.accounts.urls")),
]
