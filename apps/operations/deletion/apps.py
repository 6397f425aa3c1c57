"""The app itself."""

from typing import ClassVar

from django.apps import AppConfig


class DeletionConfig(AppConfig):
    """Deletes a tenant after a time of grace, and proves it: `manage.py delete_tenant`."""

    name = "apps.operations.deletion"
    moved_tasks: ClassVar = {
        "tenants.tasks.delete_due_tenant": "apps.operations.deletion.tasks.delete_due_tenant"
    }
    tenant_tasks: ClassVar = ["apps.operations.deletion.tasks.delete_due_tenant"]
