"""The members' admin, on each tenant's site: it knows the tenant's own models and nothing else."""

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig
from django.utils.module_loading import import_string


class MembersAdminSite(AdminSite):
    """An admin site that never shows a shared table, whoever registers it."""

    site_header = site_title = "Members' admin"
    index_title = "Your data"

    def register(
        self,
        model_or_iterable: Any,
        admin_class: Any = None,
        **options: Any,
    ) -> None:
        """Register the models of TENANT_APPS and pass over all others.

        A third-party app registers its shared tables (such as the task queue of all tenants) on the
        default site; a tenant's superuser must not see them.
        """
        models: Any = [model_or_iterable] if isinstance(model_or_iterable, type) else model_or_iterable
        has_tenant_tables = import_string("tenants.placement.has_tenant_tables")
        own = [model for model in models if has_tenant_tables(model._meta.app_label)]
        super().register(own, admin_class, **options)


class MembersAdminConfig(AdminConfig):
    """django.contrib.admin with the members' site as its default site."""

    default_site = "project.admin.MembersAdminSite"
