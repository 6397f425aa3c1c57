"""The app itself."""

from typing import ClassVar

from django.apps import AppConfig
from django.core.signals import request_finished, request_started
from django.db.models.signals import post_init


class TenantsConfig(AppConfig):
    """The registry of tenants and what binds a request to one of them."""

    name = "tenants"
    tenant_tasks: ClassVar = ["tenants.tasks.provision_tenant"]

    def ready(self) -> None:
        """Register the checks, and keep tenants apart where Django or a library would not.

        Requests are unbound by signals and not by the middleware, whose end comes before a streaming body.
        """
        from django_tasks_db.models import DBTaskResult

        from tenants import checks  # noqa: F401
        from tenants.binding.content_types import separate_content_types
        from tenants.binding.homes import remember_homes
        from tenants.binding.middleware import unbind_tenant
        from tenants.binding.routers import guard_bulk_writes
        from tenants.binding.signing import separate_signatures
        from tenants.hosts import watch_registry
        from tenants.queue.known_tasks import get_task
        from tenants.queue.rows import tidy_row

        separate_content_types()
        separate_signatures()
        remember_homes()
        guard_bulk_writes()
        watch_registry()
        # The library imports whatever a row names.
        DBTaskResult.task = property(get_task)  # type: ignore[assignment, method-assign]
        post_init.connect(tidy_row, sender=DBTaskResult, dispatch_uid="tenants.tidy_row")
        request_started.connect(unbind_tenant, dispatch_uid="tenants.unbind")
        request_finished.connect(unbind_tenant, dispatch_uid="tenants.unbind")
