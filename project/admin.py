"""The members' admin on each tenant's site, which shows the tenant's own models and nothing else."""

from typing import Any

from django.contrib.admin.apps import AdminConfig
from django.contrib.admin.widgets import AdminFileWidget

from tenants.binding.view_on_site import ShownObjectsSite
from tenants.placement import has_tenant_tables


class MembersAdminSite(ShownObjectsSite):
    """An admin site that never shows a shared table, whoever registers it."""

    site_header = site_title = "Members' admin"
    index_title = "Your data"

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Register the models of TENANT_APPS and pass over all others.

        Third-party apps register shared tables on the default site, such as the task queue of all tenants. A
        tenant's superuser must not see them.
        """
        models: Any = [model_or_iterable] if isinstance(model_or_iterable, type) else model_or_iterable
        own = [model for model in models if has_tenant_tables(model._meta.app_label)]
        super().register(own, admin_class, **options)


class MembersAdminConfig(AdminConfig):
    """django.contrib.admin with the members' site as its default site."""

    default_site = "project.admin.MembersAdminSite"

    def ready(self) -> None:
        """Give file fields a label: the legend that Django gives them names no field to a screen reader."""
        super().ready()
        AdminFileWidget.use_fieldset = False
