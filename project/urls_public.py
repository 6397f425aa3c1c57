"""Addresses of the operators' site."""

from django.contrib.auth import get_user_model
from django.urls import include, path
from django.utils.module_loading import import_string

from project.operator_spaces import delete_tenant_space, edit_tenant_space, tenant_spaces
from project.operators import vector_indexes
from project.space_switch import space_switch
from project.views import public_home

operators = import_string("tenants.admin.site.site")
if not operators.is_registered(get_user_model()):
    operators.register(get_user_model(), import_string("apps.accounts.admin.UserAdmin"))

spaces = [
    path("", operators.admin_view(tenant_spaces), name="list"),
    path("add/", operators.admin_view(edit_tenant_space), name="add"),
    path("<slug:alias>/", operators.admin_view(edit_tenant_space), name="change"),
    path("<slug:alias>/delete/", operators.admin_view(delete_tenant_space), name="delete"),
]
urlpatterns = [
    path("", public_home, name="public_home"),
    path("admin/vector-indexes/", operators.admin_view(vector_indexes), name="vector_indexes"),
    path("admin/search-space/<slug:schema>/", operators.admin_view(space_switch), name="space_switch"),
    path("admin/tenants/tenant/<int:pk>/spaces/", include((spaces, "tenant_spaces"))),
    path("admin/", operators.urls),
    path("accounts/", include("apps.accounts.urls")),
]
