"""The members' admin, on each tenant's site: it knows the tenant's own models and nothing else."""

from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig
from django.db.models import Model


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
        models = [model_or_iterable] if isinstance(model_or_iterable, type) else model_or_iterable
        own = [model for model in models if _is_tenant_model(model)]
        super().register(own, admin_class, **options)


class MembersAdminConfig(AdminConfig):
    """django.contrib.admin with the members' site as its default site."""

    default_site = "project.admin.MembersAdminSite"


def _is_tenant_model(model: type[Model]) -> bool:
    config = apps.get_app_config(model._meta.app_label)
    paths = {config.name, f"{type(config).__module__}.{type(config).__name__}"}
    return not paths.isdisjoint(settings.TENANT_APPS)
